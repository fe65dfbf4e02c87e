"""What the bodies of events look like, for the OpenAPI document; the core's reader is what decides."""

from typing import Any

_NAME: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 512,
    "description": "Printable characters.",
}
_MAYBE: dict[str, Any] = {**_NAME, "type": ["string", "null"]}
_TIME = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "RFC 3339, with its zone; the moment of its arrival when left out.",
}
_STATE = {
    "enum": ["start", "stop", None],
    "description": "A stop whose start (same type and subject) was seen carries its `started_at`.",
}
_USER = {
    **_MAYBE,
    "description": "The user's id here, or your own id of them. A key that is bound to one user needs none.",
}

_NATIVE: dict[str, Any] = {
    "type": "object",
    "description": "One event. Its identity is user, source and id. It has less than 256,000 bytes in all.",
    "required": ["id", "type"],
    "additionalProperties": False,
    "properties": {
        "user": _USER,
        "id": {**_NAME, "examples": ["deploy-4711"]},
        "source": {**_MAYBE, "default": "app"},
        "type": {**_NAME, "examples": ["deployment"]},
        "subject": {**_MAYBE, "examples": ["checkout-api"]},
        "state": _STATE,
        "time": _TIME,
        "data": {"type": ["object", "null"], "description": "Yours."},
    },
}

_CLOUDEVENT: dict[str, Any] = {
    "type": "object",
    "description": "A CloudEvent 1.0. Its extension attributes `user` and `state` are those of an Event.",
    "required": ["specversion", "id", "source", "type"],
    "additionalProperties": {
        "type": ["string", "boolean", "integer", "null"],
        "description": "Any other attribute; names have lower-case letters and digits only.",
    },
    "properties": {
        "specversion": {"const": "1.0"},
        "id": _NAME,
        "source": _NAME,
        "type": _NAME,
        "subject": _MAYBE,
        "time": _TIME,
        "datacontenttype": {"type": ["string", "null"]},
        "dataschema": {"type": ["string", "null"]},
        "data": {"description": "Anything; what is no object is kept under `value`."},
        "data_base64": {"type": ["string", "null"], "contentEncoding": "base64"},
        "user": _USER,
        "state": _STATE,
    },
}

#: By name, for the document's components.
SCHEMAS: dict[str, Any] = {"Event": _NATIVE, "CloudEvent": _CLOUDEVENT}

_EVENT, _CLOUD = ({"$ref": f"#/components/schemas/{name}"} for name in SCHEMAS)


def _some(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": 1000, "items": schema}


#: The request's `content`, by media type.
CONTENT: dict[str, Any] = {
    "application/json": {"schema": {"oneOf": [_EVENT, _some(_EVENT)]}},
    "application/cloudevents+json": {"schema": _CLOUD},
    "application/cloudevents-batch+json": {"schema": _some(_CLOUD)},
}
