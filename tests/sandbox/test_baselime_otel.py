"""The OpenTelemetry API: OTLP over HTTP, JSON and protobuf, gzip or not."""

import base64
import gzip
import json

import pytest
from flask.testing import FlaskClient

from webapp.sandbox import World

LOGS = {
    "resourceLogs": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]},
            "scopeLogs": [{"logRecords": [{"body": {"stringValue": "hello"}}]}],
        }
    ]
}
PROTO = {"Content-Type": "application/x-protobuf"}
PROTOBUF = b"\x0a\x03abc"
"""Field 1, three bytes: as much of an export request as is looked at."""


def test_json_is_taken_and_answered_in_json(otel: FlaskClient, world: World, ingest_key: str) -> None:
    answer = otel.post("/v1/logs", json=LOGS, headers={"x-api-key": ingest_key})
    assert (answer.status_code, answer.get_json()) == (200, {})
    taken = world.desk.recorder.received("baselime_otel")[0]
    assert (taken.endpoint, taken.account, taken.headers["dataset"]) == ("logs", "acme/prod", "otel")
    assert taken.event == {
        "encoding": "identity",
        "bytes": len(json.dumps(LOGS)),
        "type": "json",
        "body": LOGS,
    }


def test_protobuf_is_taken_and_answered_empty(otel: FlaskClient, world: World, ingest_key: str) -> None:
    headers = {
        "x-api-key": ingest_key,
        "x-baselime-dataset": "mine",
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "gzip",
    }
    answer = otel.post("/v1/traces", data=gzip.compress(PROTOBUF), headers=headers)
    assert (answer.status_code, answer.data, answer.mimetype) == (200, b"", "application/x-protobuf")
    taken = world.desk.recorder.received("baselime_otel")[0]
    assert taken.headers["dataset"] == "mine"
    assert taken.event == {
        "encoding": "gzip",
        "bytes": len(PROTOBUF),
        "type": "protobuf",
        "base64": base64.b64encode(PROTOBUF).decode(),
    }


@pytest.mark.parametrize(
    ("path", "signal"),
    [("/v1", "traces"), ("/v1/traces", "traces"), ("/v1/metrics", "metrics"), ("/v1/logs", "logs")],
)
def test_every_signal_has_its_path(
    otel: FlaskClient, world: World, ingest_key: str, path: str, signal: str
) -> None:
    assert otel.post(path, json={}, headers={"x-api-key": ingest_key}).status_code == 200
    assert [one.endpoint for one in world.desk.recorder.received()] == [signal]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(b"{}", {"x-api-key": "wrong"}, 401, id="wrong key"),
        pytest.param(b"{}", {"Content-Type": "text/plain"}, 415, id="plain text"),
        pytest.param(b"[]", {}, 400, id="array"),
        pytest.param(b"{", {}, 400, id="broken JSON"),
        pytest.param(b"{}", {"Content-Encoding": "gzip"}, 400, id="not gzip"),
        pytest.param(gzip.compress(b"{}")[:-4], {"Content-Encoding": "gzip"}, 400, id="broken gzip"),
        pytest.param(b"{}", {"Content-Encoding": "br"}, 400, id="other encoding"),
        pytest.param(b"\x0a\x09abc", PROTO, 400, id="length beyond the end"),
        pytest.param(b"\x0a\xff", PROTO, 400, id="broken length"),
        pytest.param(gzip.compress(PROTOBUF), PROTO, 400, id="gzip unsaid"),
    ],
)
def test_what_is_no_export_request_is_refused(
    world: World, otel: FlaskClient, ingest_key: str, *, body: bytes, headers: dict[str, str], status: int
) -> None:
    given = {"x-api-key": ingest_key, "Content-Type": "application/json"} | headers
    assert otel.post("/v1/logs", data=body, headers=given).status_code == status
    assert world.desk.recorder.received() == []


def test_other_methods_are_not_allowed(otel: FlaskClient) -> None:
    answer = otel.get("/v1/traces")
    assert (answer.status_code, answer.get_json()) == (405, {"message": "Method Not Allowed"})
