"""OTLP requests: both forms mean the same, and what is none is refused."""

import json
from typing import Any

import pytest
from google.protobuf import json_format

from tests import otlp as made
from webapp.errors import Invalid
from webapp.lib import otlp
from webapp.lib.otlp import SIGNALS

SIGNAL_NAMES = list(SIGNALS)


def read(name: str, payload: bytes, *, as_json: bool = True) -> Any:
    return otlp.read_request(SIGNALS[name], payload, as_json=as_json, max_bytes=1_000_000)


@pytest.mark.parametrize("name", SIGNAL_NAMES)
def test_what_is_shown_reads_as_what_was_stored(name: str) -> None:
    request = made.export(name, "one", "two \u0000 😀")
    shown = otlp.show(SIGNALS[name], request.SerializeToString())
    assert read(name, json.dumps(shown).encode()) == request


def test_trace_and_span_ids_are_hexadecimal() -> None:
    shown = otlp.show(SIGNALS["traces"], made.export("traces", "GET /").SerializeToString())
    (span,) = shown["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert span["traceId"] == "000102030405060708090a0b0c0d0e0f"
    assert span["spanId"] == "0001020304050607"
    assert span["kind"] == 2


def test_a_request_as_the_specification_writes_it_is_read() -> None:
    span = {
        "traceId": "5B8EFFF798038103D269B633813FC60C",
        "spanId": "EEE19B7EC3C1B174",
        "parentSpanId": "EEE19B7EC3C1B173",
        "name": "I'm a server span",
        "startTimeUnixNano": "1544712660000000000",
        "kind": 2,
        "attributes": [{"key": "trace_id", "value": {"bytesValue": "AAEC"}}],
        "links": [{"traceId": "5b8efff798038103d269b633813fc60c"}],
        "addedLater": {"x": 1},
        "trace_state": "not a name of OTLP's JSON",
    }
    request = read("traces", json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode())
    (found,) = request.resource_spans[0].scope_spans[0].spans
    assert found.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    assert found.parent_span_id.hex() == "eee19b7ec3c1b173"
    assert found.links[0].trace_id == found.trace_id
    assert (found.attributes[0].key, found.attributes[0].value.bytes_value) == ("trace_id", b"\x00\x01\x02")
    assert found.trace_state == ""


def test_half_of_a_surrogate_pair_costs_no_record() -> None:
    body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"cut \\ud83d"}}]}]}]}'
    (record,) = read("logs", body).resource_logs[0].scope_logs[0].log_records
    assert record.body.string_value == "cut \ufffd"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'{"resourceSpans": 7}', "is no JSON of ExportTraceServiceRequest"),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}', "not hexadecimal"),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":1e999}]}]}]}', "too large for a double"),
        (b'{"resourceSpans":' + b"[" * 100 + b"]" * 100 + b"}", "nested deeper"),
        (b'{"resourceSpans":[],"resourceSpans":[]}', "repeats the key"),
        (b" " * 1_000_001, "the limit is"),
    ],
)
def test_json_that_is_no_export_is_refused_with_the_reason(payload: bytes, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        read("traces", payload)
    assert words in caught.value.faults[0].what


@pytest.mark.parametrize("name", SIGNAL_NAMES)
@pytest.mark.parametrize("payload", [b"\x0a\x7f", b"{}", b"\x0a" * 50], ids=["broken off", "json", "odd"])
def test_protobuf_that_is_no_export_is_refused(name: str, payload: bytes) -> None:
    with pytest.raises(Invalid):
        read(name, payload, as_json=False)


def test_every_record_is_counted() -> None:
    for name in SIGNAL_NAMES:
        assert otlp.count_records(SIGNALS[name], made.export(name, "a", "b", "c")) == 3
    empty = json_format.Parse(
        '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a"}]}]}]}', SIGNALS["metrics"].request()
    )
    assert otlp.count_records(SIGNALS["metrics"], empty) == 0


def test_what_costs_more_time_than_bytes_is_refused_unread() -> None:
    signal = SIGNALS["logs"]
    with pytest.raises(Invalid, match="more than 50,000 records"):
        otlp.count_records(signal, read("logs", b"\x0a\x00" * 50_001, as_json=False))
    with pytest.raises(Invalid, match="more than 200,000 JSON objects"):
        read("logs", b'{"resourceLogs":[' + b"{}," * 200_000 + b"{}]}")
