"""OTLP exports of three records, say, as tests send them."""

from datetime import UTC, datetime
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from webapp.providers.receiving import OutgoingEvent

TRACE_ID, SPAN_ID = bytes(range(16)), bytes(range(8))


def export(signal: str, *texts: str, service: str = "checkout") -> Any:
    """A request with one record for each text, in one resource and scope."""
    made: Any = {"logs": _logs, "traces": _spans, "metrics": _metrics}[signal](texts)
    (part,) = made.ListFields()[0][1]
    part.resource.attributes.add(key="service.name").value.string_value = service
    return made


def texts_of(signal: str, body: bytes) -> list[str]:
    """The texts that `export` was made with, also of several joined."""
    records: list[str] = []
    if signal == "logs":
        for part in ExportLogsServiceRequest.FromString(body).resource_logs:
            records += [log.body.string_value for scope in part.scope_logs for log in scope.log_records]
    elif signal == "traces":
        for part in ExportTraceServiceRequest.FromString(body).resource_spans:
            records += [span.name for scope in part.scope_spans for span in scope.spans]
    else:
        for part in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            metrics = [metric for scope in part.scope_metrics for metric in scope.metrics]
            records += [point.attributes[0].key for metric in metrics for point in metric.sum.data_points]
    return records


def event(seq: int, signal: str) -> OutgoingEvent:
    """An export as an Event that waits for its vendor."""
    return OutgoingEvent(
        seq=seq,
        type=f"otlp.{signal}",
        source="otlp",
        subject="checkout",
        state=None,
        time=datetime(2026, 1, 2, 12, tzinfo=UTC),
        body=export(signal, f"record {seq}").SerializeToString(),
    )


def _logs(texts: tuple[str, ...]) -> Any:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    scope.scope.name = "tests"
    for at, text in enumerate(texts):
        record = scope.log_records.add(time_unix_nano=at + 1, trace_id=TRACE_ID, span_id=SPAN_ID)
        record.body.string_value = text
    return request


def _spans(texts: tuple[str, ...]) -> Any:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    scope.scope.name = "tests"
    for at, text in enumerate(texts):
        scope.spans.add(name=text, trace_id=TRACE_ID, span_id=SPAN_ID, start_time_unix_nano=at + 1, kind=2)
    return request


def _metrics(texts: tuple[str, ...]) -> Any:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    scope.scope.name = "tests"
    metric = scope.metrics.add(name="requests", unit="1")
    metric.sum.is_monotonic, metric.sum.aggregation_temporality = True, 2
    for at, text in enumerate(texts):
        metric.sum.data_points.add(as_int=at).attributes.add(key=text)
    return request
