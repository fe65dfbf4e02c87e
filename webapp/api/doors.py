"""What the OpenAPI document says of the doors whose form others have set: OTLP's, and GitHub's."""

from typing import Any

from webapp.api.otlp import JSON, PROTOBUF, USER_HEADER
from webapp.core.api_keys import Scope
from webapp.lib.otlp import SIGNALS

_ABOUT = """\
For any OpenTelemetry SDK or collector: its {signal} go on as OTLP to the destinations that take them.

`OTEL_EXPORTER_OTLP_ENDPOINT` is this instance's address, and `OTEL_EXPORTER_OTLP_HEADERS` is
`authorization=Bearer%20hp_…,x-hitchpost-user=u_1`; the protocol is `http/protobuf` or `http/json`, plain or
gzip.

A request is one event, or several if it has 256,000 bytes or more; the same bytes sent again are taken once.
Records that are too large alone are rejected by a partial success. Refusals are a google.rpc.Status."""
_ANSWERS = {
    200: "Stored for good; a partial success says what was not.",
    400: "No export, or no such user: not to be sent again.",
    401: "No valid API key.",
    403: "The API key lacks the scope.",
    413: "More than 6,000,000 bytes, before or after decompression.",
    415: "Neither protobuf nor JSON, or compressed by something else than gzip.",
    429: "Too many requests: again after the seconds of Retry-After.",
    503: "Not now, and nothing was stored: again after the seconds of Retry-After.",
}


def describe(server: str) -> dict[str, Any]:
    """The path items; they are relative to `server`, the instance's own address."""
    operations = {f"/v1/{signal}": _export(signal) for signal in SIGNALS}
    operations["/github/{source_id}"] = _DELIVERY
    return {path: {"servers": [{"url": server}], "post": operation} for path, operation in operations.items()}


_DELIVERY: dict[str, Any] = {
    "operationId": "deliver_github",
    "tags": ["Sources"],
    "summary": "Deliver what GitHub tells of deployments.",
    "description": "The payload URL of a webhook at GitHub, with the secret of its source and the content "
    "type `application/json`. `deployment`, `deployment_status`, `workflow_run` and `release` become events "
    "of the type `deployment`, with `X-GitHub-Delivery` as their id; anything else is answered and not kept.",
    "security": [],
    "parameters": [
        {
            "name": "source_id",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "format": "uuid"},
        },
        *(
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": told,
                "schema": {"type": "string"},
            }
            for name, told in (
                ("X-GitHub-Event", "What happened."),
                ("X-GitHub-Delivery", "The id of the delivery, the same when it is delivered again."),
                ("X-Hub-Signature-256", "`sha256=` and the HMAC of the body, in hexadecimal."),
            )
        ),
    ],
    "requestBody": {"required": True, "content": {JSON: {"schema": {"type": "object"}}}},
    "responses": {
        "202": {"description": "`state` is accepted, duplicate, ignored (with `why`) or pong."},
        "401": {"description": "The signature is not this source's."},
        "404": {"description": "No such source, or it has ended."},
        "413": {"description": "More than 2,000,000 bytes."},
        "415": {"description": "Not `application/json`."},
        "422": {"description": "No JSON, or no id."},
        "429": {"description": "Too many wrong signatures from there."},
        "503": {"description": "Not now, and nothing was stored."},
    },
}


def _export(signal: str) -> dict[str, Any]:
    summary, _, description = _ABOUT.format(signal=signal).partition("\n\n")
    return {
        "operationId": f"export_{signal}",
        "tags": ["OpenTelemetry"],
        "summary": f"Export {signal} by OTLP/HTTP.",
        "description": f"{summary}\n\n{description}",
        "security": [{"api_key": [Scope.EVENTS_WRITE.value]}],
        "parameters": [
            {
                "name": USER_HEADER,
                "in": "header",
                "required": False,
                "description": "The user whose data it is; a key that is bound to one user needs none.",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                PROTOBUF: {"schema": {"type": "string", "format": "binary"}},
                JSON: {"schema": {"type": "object"}},
            },
        },
        "responses": {str(status): {"description": words} for status, words in _ANSWERS.items()},
    }
