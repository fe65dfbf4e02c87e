"""An app with an unmodified OpenTelemetry SDK; where it exports to stands in its environment alone."""

from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def main() -> None:
    """One log record, one span and one counter; then out, with everything exported."""
    tracing, logs = TracerProvider(), LoggerProvider()
    metering = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    with tracing.get_tracer("shop").start_as_current_span("checkout"):
        logs.get_logger("shop").emit(LogRecord(body="the basket is empty"))
        metering.get_meter("shop").create_counter("orders").add(3)
    for provider in (tracing, metering, logs):
        provider.shutdown()


if __name__ == "__main__":
    main()
