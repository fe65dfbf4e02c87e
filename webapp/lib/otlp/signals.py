"""The three signals: the messages of each, and how its records hang from their resource and scope."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeAlias

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

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
    """How many log records, spans or data points a request holds."""
    found = [request]
    for children in signal.levels[:-1]:
        found = [child for parent in found for child in children(parent)]
    return sum(len(signal.levels[-1](parent)) for parent in found)
