"""The three signals: the messages of each, and how its records hang from their resource and scope."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeAlias

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

from webapp.errors import Fault, Invalid

#: Records, with the resources, scopes and metrics that they hang from, in one request: many times what any
#: SDK or collector batches.
MOST_PARTS = 50_000

#: A protobuf message; the library gives its classes no types.
Message: TypeAlias = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Logs, traces or metrics."""

    name: str
    request: Callable[[], Message]
    response: Callable[[], Message]
    #: from the request down: the children of a message at each depth; the last are its records
    levels: tuple[Callable[[Message], Any], ...]
    #: the field of a partial success that counts rejected records
    rejected: str


def _points(metric: Message) -> Any:
    """The data points of a metric, whatever its type; none of one whose type is unknown."""
    kind = metric.WhichOneof("data")
    return getattr(metric, kind).data_points if kind else []


#: By the last part of its address, `/v1/logs`.
SIGNALS: Mapping[str, Signal] = {
    signal.name: signal
    for signal in (
        Signal(
            name="logs",
            request=logs.ExportLogsServiceRequest,
            response=logs.ExportLogsServiceResponse,
            levels=tuple(map(attrgetter, ("resource_logs", "scope_logs", "log_records"))),
            rejected="rejected_log_records",
        ),
        Signal(
            name="traces",
            request=traces.ExportTraceServiceRequest,
            response=traces.ExportTraceServiceResponse,
            levels=tuple(map(attrgetter, ("resource_spans", "scope_spans", "spans"))),
            rejected="rejected_spans",
        ),
        Signal(
            name="metrics",
            request=metrics.ExportMetricsServiceRequest,
            response=metrics.ExportMetricsServiceResponse,
            levels=(*map(attrgetter, ("resource_metrics", "scope_metrics", "metrics")), _points),
            rejected="rejected_data_points",
        ),
    )
}


def count_records(signal: Signal, request: Message) -> int:
    """How many log records, spans or data points a request holds.

    Raises Invalid when that and what they hang from are too many: each costs time, however few bytes it is.
    """
    found, count, parts = [request], 0, 0
    for depth, children in enumerate(signal.levels):
        count = sum(len(children(parent)) for parent in found)
        parts += count
        if parts > MOST_PARTS:
            what = f"holds more than {MOST_PARTS:,} records: export them in smaller batches"
            raise Invalid([Fault("", what)], f"The body {what}.")
        if depth < len(signal.levels) - 1:
            found = [child for parent in found for child in children(parent)]
    return count
