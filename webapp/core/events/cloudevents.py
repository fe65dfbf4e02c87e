"""CloudEvents 1.0 as events: the JSON format, structured and batched (CloudEvents spec v1.0.2, JSON format).

`user` and `state` are read from extension attributes of these names. `data` that is no object is kept under
`data.value`, `data_base64` under `data.base64`; every other attribute is kept under `attributes`.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from webapp.core.events.drafts import Draft, draft
from webapp.core.events.fields import Fields
from webapp.core.events.forms import Item
from webapp.core.events.native import STATES, WHY_ID
from webapp.errors import Fault

_OURS = frozenset({"specversion", "id", "source", "type", "subject", "time", "user", "state"})
_DATA = frozenset({"data", "data_base64"})
_NAMED = frozenset({"datacontenttype", "dataschema"})
#: "MUST consist of lower-case letters or digits" (§ Attribute naming convention)
_NAME = re.compile(r"[a-z0-9]+", re.ASCII)
_INTEGERS = range(-(2**31), 2**31)
_WHY = "is missing: CloudEvents 1.0 requires it"


def read_cloudevent(item: Item, now: datetime) -> Draft | list[Fault]:
    """The draft of one item, or everything that is wrong with it. `now` is its time when it names none."""
    if not isinstance(item.value, dict):
        return [Fault(item.where, "is not a JSON object")]
    fields = Fields(item.value, item.where)
    if item.value.get("specversion") != "1.0":
        fields.fault("specversion", 'is not "1.0"')
    event_id, event_type = fields.text("id", missing=WHY_ID), fields.type(missing=_WHY)
    source = fields.text("source", missing=_WHY)
    subject, user = fields.text("subject"), fields.text("user")
    state, time = fields.choice("state", STATES), fields.time("time", now)
    attributes, data = _attributes(fields, item.value), _data(fields, item.value)
    if fields.faults or event_id is None or event_type is None or source is None:
        return fields.faults
    made = draft(
        item.value,
        item.where,
        plain=item.plain,
        id=event_id,
        source=source,
        type=event_type,
        subject=subject,
        state=state,
        time=time,
        user=user,
        data=data,
        attributes=attributes,
    )
    too_large = made.size_fault()
    return [too_large] if too_large else made


def _attributes(fields: Fields, item: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in item.items():
        if name in _OURS or name in _DATA or value is None:
            continue
        if not _NAME.fullmatch(name):
            fields.fault(name, "is not a name of an attribute: those have lower-case letters and digits only")
        elif name in _NAMED and not isinstance(value, str):
            fields.fault(name, "is not a string")
        elif not isinstance(value, str | bool) and not (isinstance(value, int) and value in _INTEGERS):
            fields.fault(name, "is not a string, a boolean or a 32-bit integer")
        else:
            kept[name] = value
    return kept


def _data(fields: Fields, item: Mapping[str, Any]) -> dict[str, Any]:
    value, encoded = item.get("data"), item.get("data_base64")
    if value is not None and encoded is not None:
        fields.fault("data_base64", "stands beside data: only one of them may")
    if encoded is not None:
        if not isinstance(encoded, str) or not _is_base64(encoded):
            fields.fault("data_base64", "is not base64")
        return {"base64": encoded}
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"value": value}


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
