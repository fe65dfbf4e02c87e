"""Showing stored events to people: the envelope, or what an OTLP request holds, and the sender's own id."""

import hashlib
import json
import re
from typing import Any

from webapp.errors import Invalid
from webapp.lib import otlp
from webapp.lib.plain_json import compact
from webapp.providers.receiving import OTLP_TYPES

#: An id has at most 512 characters, each at most six bytes as JSON.
OWN_ID_BYTES = 3_200
_OWN_ID = re.compile(rb'\{"id":("(?:[^"\\]|\\.)*")')


def readable(type: str, body: bytes) -> str:
    """A stored body as indented JSON; what cannot be read is shown as text as far as it is one."""
    try:
        return json.dumps(_value(type, body), indent=2, ensure_ascii=False)
    except (Invalid, ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def own_id(type: str, beginning: bytes, digest: bytes) -> str:
    """The id that its sender gave an event. An envelope begins with it; OTLP has its hash.

    `beginning` is the first `OWN_ID_BYTES` of the body.
    """
    if type.startswith(OTLP_TYPES):
        return digest.hex()
    matched = _OWN_ID.match(beginning)
    return str(json.loads(matched[1])) if matched else ""


def beginning_of(own_id: str) -> bytes:
    """How the body of an event with that id of its sender's begins; OTLP has no such id."""
    return compact({"id": own_id})[:-1]


def content_id(body: bytes) -> str:
    """What the same bytes, sent again, have in common: of an OTLP event its digest, as text."""
    return hashlib.sha256(body).hexdigest()


def _value(type: str, body: bytes) -> Any:
    if type.startswith(OTLP_TYPES):
        return otlp.show(otlp.SIGNALS[type.removeprefix(OTLP_TYPES)], body)
    return json.loads(body)
