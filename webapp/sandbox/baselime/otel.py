"""The OpenTelemetry API of `otel.baselime.io` (Baselime docs, OpenTelemetry), over OTLP/HTTP."""

import base64

from flask import Flask, Response, jsonify, request

from webapp.sandbox.baselime.accounts import Accounts
from webapp.sandbox.baselime.events import ingest_key
from webapp.sandbox.bodies import UnreadableError, gunzip, loads
from webapp.sandbox.desk import Desk

JSON, PROTOBUF = "application/json", "application/x-protobuf"


def add_routes(app: Flask, desk: Desk, accounts: Accounts) -> None:
    """Add a path for each signal, and `POST /v1`, where Baselime's own SDKs send traces."""

    @app.post("/v1/traces", endpoint="traces")
    @app.post("/v1", endpoint="traces")
    def _traces() -> tuple[Response, int]:
        return _export(desk, accounts, "traces")

    @app.post("/v1/metrics", endpoint="metrics")
    def _metrics() -> tuple[Response, int]:
        return _export(desk, accounts, "metrics")

    @app.post("/v1/logs", endpoint="logs")
    def _logs() -> tuple[Response, int]:
        return _export(desk, accounts, "logs")


def _export(desk: Desk, accounts: Accounts, signal: str) -> tuple[Response, int]:
    # Chosen: the docs are silent on every answer here. Refusals are worded as at the Events API;
    # statuses and the empty success follow the OTLP/HTTP specification.
    environment = accounts.by_key(ingest_key())
    if environment is None:
        return jsonify(message="Unauthorised"), 401
    if request.mimetype not in (JSON, PROTOBUF):
        return jsonify(message="Unsupported Media Type"), 415
    try:
        event = _telemetry()
    except UnreadableError:
        return jsonify(message="Bad Request"), 400
    headers = {"dataset": request.headers.get("x-baselime-dataset", "otel")}
    desk.recorder.take("baselime_otel", signal, environment.account, [event], headers)
    if request.mimetype == JSON:
        return jsonify({}), 200
    return Response(b"", mimetype=PROTOBUF), 200


def _telemetry() -> dict[str, object]:
    raw = request.get_data()
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding not in ("gzip", "identity"):
        raise UnreadableError("only gzip is known")
    body = gunzip(raw) if encoding == "gzip" else raw
    about: dict[str, object] = {"encoding": encoding, "bytes": len(body)}
    if request.mimetype == PROTOBUF:
        _check_protobuf(body)
        return about | {"type": "protobuf", "base64": base64.b64encode(body).decode()}
    telemetry = loads(body)
    if not isinstance(telemetry, dict):
        raise UnreadableError("not an object")
    return about | {"type": "json", "body": telemetry}


def _check_protobuf(body: bytes) -> None:
    """Refuse what cannot be an Export…ServiceRequest: its one field is number 1, length-delimited."""
    at = 0
    while at < len(body):
        if body[at] != 0x0A:
            raise UnreadableError("not an export request")
        length, at = _varint(body, at + 1)
        at += length
    if at > len(body):
        raise UnreadableError("a protobuf that breaks off")


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(body[at : at + 10]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise UnreadableError("a protobuf that breaks off")
