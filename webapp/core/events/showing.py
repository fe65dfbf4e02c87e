"""Showing stored events to people: the envelope, or what an OTLP request holds, and the sender's own id."""

import hashlib
import json
import re
from typing import Any

from webapp.errors import Invalid
from webapp.lib import otlp
from webapp.providers.base import OTLP_TYPES

_OWN_ID = re.compile(rb'\{"id":("(?:[^"\\]|\\.)*")')


def readable(type: str, body: bytes) -> str:
    """A stored body as indented JSON; what cannot be read is shown as text as far as it is one."""
    try:
        return json.dumps(_value(type, body), indent=2, ensure_ascii=False)
    except (Invalid, ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def own_id(type: str, body: bytes) -> str:
    """The id that its sender gave an event: an envelope begins with it; OTLP knows none, a hash stands in."""
    if type.startswith(OTLP_TYPES):
        return content_id(body)
    matched = _OWN_ID.match(body)
    return str(json.loads(matched[1])) if matched else ""


def content_id(body: bytes) -> str:
    """What the same bytes, sent again, have in common."""
    return hashlib.sha256(body).hexdigest()


def _value(type: str, body: bytes) -> Any:
    if type.startswith(OTLP_TYPES):
        return otlp.show(otlp.SIGNALS[type.removeprefix(OTLP_TYPES)], body)
    return json.loads(body)
