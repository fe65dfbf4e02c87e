"""The settings of a destination, checked against the fields that its kind declares."""

import re
from collections.abc import Mapping
from typing import Any

from webapp.core.streams.filters import ALL
from webapp.errors import Fault, Invalid
from webapp.providers.base import DestinationKind, FieldKind, FormField

_MOST_PATTERNS, _PATTERN_CHARACTERS = 50, 512


class _Refused(Exception):
    """What is wrong with one value."""


def check(kind: DestinationKind, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored: every field, or its default, `types` as a list. Raises Invalid, a Fault a field.

    Texts may come as a form has them; `types` as a list or as words between spaces or commas.
    """
    fields = {field.name: field for field in kind.settings}
    faults = [Fault(name, "is not a setting of this kind") for name in settings if name not in fields]
    checked: dict[str, Any] = {}
    for name, field in fields.items():
        value = settings.get(name)
        try:
            checked[name] = _types(value) if name == "types" else _value(field, value)
        except _Refused as error:
            faults.append(Fault(name, str(error)))
    if faults:
        raise Invalid(faults)
    return checked


def _value(field: FormField, value: Any) -> str | bool:
    if field.kind is FieldKind.FLAG:
        if value is None or isinstance(value, bool):
            return bool(value)
        raise _Refused("is neither true nor false")
    if not isinstance(value, str | None):
        raise _Refused("is not a string")
    text = (value or "").strip() or field.default
    if not text and field.required:
        raise _Refused("is missing")
    if len(text) > field.max_length:
        raise _Refused(f"has {len(text):,} characters, the limit is {field.max_length:,}")
    if field.choices and text and text not in dict(field.choices):
        raise _Refused("is none of the choices")
    if field.pattern and text and not re.fullmatch(field.pattern, text):
        raise _Refused(f"is not what this field takes. {field.help}".strip().rstrip("."))
    return text


def _types(value: Any) -> list[str]:
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    if value is not None and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        raise _Refused("is not a list of strings")
    patterns = list(dict.fromkeys(value or [ALL]))
    if len(patterns) > _MOST_PATTERNS:
        raise _Refused(f"has {len(patterns)} patterns, the limit is {_MOST_PATTERNS}")
    for pattern in patterns:
        if not pattern.isprintable() or not 0 < len(pattern) <= _PATTERN_CHARACTERS:
            raise _Refused("has a pattern that is empty, too long or cannot be printed")
    return patterns
