"""Events: accepted from the host app, each once."""

from webapp.core.events.accepting import Accepted, accept
from webapp.core.events.binary import MARK as BINARY_MARK
from webapp.core.events.binary import accept_binary
from webapp.core.events.forms import EventForm
from webapp.core.events.otlp import accept_otlp
from webapp.core.events.trying import TEST_TYPE, send_test_event
from webapp.errors import IdentityConflict

__all__ = [
    "BINARY_MARK",
    "TEST_TYPE",
    "Accepted",
    "EventForm",
    "IdentityConflict",
    "accept",
    "accept_binary",
    "accept_otlp",
    "send_test_event",
]
