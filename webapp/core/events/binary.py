"""CloudEvents 1.0 in HTTP's binary mode: the attributes are headers, and the body is the data.

HTTP protocol binding v1.0.2 §3.1, read by the package cloudevents with a format of our own: its JSON would
let NaN, repeated keys and the like pass. What it reads is then checked like an event in structured mode.
"""

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from cloudevents.core.bindings.http import HTTPMessage, from_binary
from cloudevents.core.formats.json import JSONFormat

from webapp.core.events.accepting import Accepted, accept_drafts
from webapp.core.events.cloudevents import read_cloudevent
from webapp.core.events.drafts import Draft
from webapp.core.events.forms import MAX_BODY_BYTES, Item
from webapp.core.runtime import Runtime
from webapp.errors import Fault, Invalid
from webapp.lib import clock, strict_json

#: What tells this mode from our own form, whatever the Content-Type.
MARK = "ce-specversion"
_ABOUT_DATA = frozenset({"data", "data_base64"})


def accept_binary(
    runtime: Runtime, headers: Mapping[str, str], body: bytes, *, only_user: UUID | None
) -> Accepted:
    """Store the one event of a request in binary mode. Raises what `accept` raises; faults name headers."""
    made = read_cloudevent(Item("", _item(headers, body)), clock.now())
    if not isinstance(made, Draft):
        raise Invalid([Fault(_header(fault.where), fault.what) for fault in made])
    try:
        return accept_drafts(runtime, [made], only_user=only_user)
    except Invalid as error:
        raise Invalid([Fault(_header(fault.where), fault.what) for fault in error.faults]) from None


def _item(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The event as structured mode would have written it."""
    told = {name.lower(): value for name, value in headers.items() if _is_told(name.lower())}
    faults = [Fault(f"ce-{name}", "is no attribute: data is the body") for name in _ABOUT_DATA & _names(told)]
    if faults:
        raise Invalid(faults)
    try:
        read: Any = from_binary(HTTPMessage(told, body), _StrictFormat(), _Parts)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        raise Invalid([Fault("ce-time", "is not an RFC 3339 time with a zone")]) from None
    item: dict[str, Any] = read.attributes
    if "ce-time" in told:
        item["time"] = unquote(told["ce-time"])  # as it was written: what makes the same event the same
    if isinstance(read.data, bytes):
        return item | {"data_base64": base64.b64encode(read.data).decode()}
    return item if read.data is None else item | {"data": read.data}


class _Parts:
    """What the package found, as it is: its own class makes up an id and a time where there is none."""

    def __init__(self, attributes: dict[str, Any], data: Any) -> None:
        self.attributes = attributes
        self.data = data


class _StrictFormat(JSONFormat):
    """Data as its content type tells: JSON, else text, else bytes. Without one JSON is tried first."""

    def read_data(self, body: bytes, datacontenttype: str | None) -> Any:
        as_json = datacontenttype is None or re.match(self.JSON_CONTENT_TYPE_PATTERN, datacontenttype)
        try:
            if body and as_json:
                return strict_json.loads(body, max_bytes=MAX_BODY_BYTES)
        except Invalid:
            if datacontenttype:
                raise
        return super().read_data(body, "text/plain")


def _is_told(name: str) -> bool:
    return name.startswith("ce-") or name == "content-type"


def _names(headers: Mapping[str, str]) -> set[str]:
    return {name.removeprefix("ce-") for name in headers}


def _header(pointer: str) -> str:
    """Where a fault is, in a request of this mode: a header's name, or "" for the body."""
    name = pointer.partition("/")[2]
    if not name or name.partition("/")[0] in _ABOUT_DATA:
        return ""
    return "content-type" if name == "datacontenttype" else f"ce-{name}"
