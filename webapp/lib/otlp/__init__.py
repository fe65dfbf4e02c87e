"""OTLP/HTTP, OpenTelemetry's protocol: requests read, cut and shown, answers written and read.

OTLP specification 1.x, "OTLP/HTTP", with the messages of the package opentelemetry-proto.
"""

from webapp.lib.otlp.answers import Partial, read_answer, write_answer, write_status
from webapp.lib.otlp.cutting import Cut, cut
from webapp.lib.otlp.reading import read_request, service_of, show
from webapp.lib.otlp.signals import SIGNALS, Message, Signal, count_records

__all__ = [
    "SIGNALS",
    "Cut",
    "Message",
    "Partial",
    "Signal",
    "count_records",
    "cut",
    "read_answer",
    "read_request",
    "service_of",
    "show",
    "write_answer",
    "write_status",
]
