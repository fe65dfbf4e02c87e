"""Reading requests, from protobuf or JSON, and showing stored ones as JSON.

OTLP's JSON is protobuf's, with its own rules: trace and span ids are hexadecimal and not base64, names are
lowerCamelCase and no other, and unknown names are passed over (OTLP specification, "JSON Protobuf Encoding").
"""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from webapp.errors import Fault, Invalid
from webapp.lib import strict_json
from webapp.lib.otlp.signals import Message, Signal

_IDS = frozenset({"traceId", "spanId", "parentSpanId"})
_WORDS_CHARACTERS = 200
#: What reading JSON costs goes by its objects, some microseconds each.
_MOST_OBJECTS = 200_000
_HALF_OF_A_PAIR = re.compile("[\ud800-\udfff]")


def read_request(signal: Signal, payload: bytes, *, as_json: bool, max_bytes: int) -> Message:
    """The request. Raises Invalid, with one Fault, for what is none."""
    if as_json:
        if payload.count(b"{") > _MOST_OBJECTS:
            raise _invalid(f"holds more than {_MOST_OBJECTS:,} JSON objects: export in smaller batches")
        return _from_json(signal, strict_json.loads(payload, max_bytes=max_bytes, any_text=True))
    request = signal.request()
    try:
        request.ParseFromString(payload)
    except DecodeError:
        raise _invalid(f"is no protobuf of {_name(request)}") from None
    return request


def show(signal: Signal, body: bytes) -> dict[str, Any]:
    """A stored request as OTLP's JSON. Raises Invalid when it is none."""
    request = read_request(signal, body, as_json=False, max_bytes=len(body))
    written = json_format.MessageToDict(request, use_integers_for_enums=True)
    shown: dict[str, Any] = _walk(written, lambda text: base64.b64decode(text).hex())
    return shown


def service_of(signal: Signal, request: Message) -> str | None:
    """The `service.name` of the first resource that has one."""
    for part in signal.levels[0](request):
        for attribute in part.resource.attributes:
            if attribute.key == "service.name" and attribute.value.string_value:
                return str(attribute.value.string_value)
    return None


def _from_json(signal: Signal, value: strict_json.Json) -> Message:
    request = signal.request()
    if not isinstance(value, dict):
        raise _invalid("is not a JSON object")
    try:
        written = _walk(value, lambda text: base64.b64encode(bytes.fromhex(text)).decode())
    except ValueError:
        raise _invalid("holds a trace or span id that is not hexadecimal") from None
    try:
        json_format.ParseDict(written, request, ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        words = " ".join(str(error).split())[:_WORDS_CHARACTERS]
        raise _invalid(f"is no JSON of {_name(request)}: {words}") from None
    return request


def _walk(value: Any, convert: Callable[[str], str]) -> Any:
    """`value` with its ids converted, without names that are not OTLP's, in text that UTF-8 can carry.

    Every key is the name of a field: what an attribute is called stands in a value, under `key`.
    """
    if isinstance(value, Mapping):
        return {
            name: convert(part) if name in _IDS and isinstance(part, str) else _walk(part, convert)
            for name, part in value.items()
            if "_" not in name
        }
    if isinstance(value, list):
        return [_walk(part, convert) for part in value]
    return _HALF_OF_A_PAIR.sub("\ufffd", value) if isinstance(value, str) else value


def _name(request: Message) -> str:
    return str(request.DESCRIPTOR.name)


def _invalid(what: str) -> Invalid:
    return Invalid([Fault("", what)], f"The body {what}.")
