"""The settings of a destination, checked against the fields that its kind declares."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from webapp.core.streams.conditions import read_conditions
from webapp.core.streams.filters import ALL
from webapp.core.streams.freshness import read_limit
from webapp.core.streams.mapping import read_mapping
from webapp.core.streams.paths import Misread
from webapp.errors import Fault, Invalid
from webapp.providers.choosing import CHOOSING
from webapp.providers.forms import FieldKind, FormField
from webapp.providers.receiving import DestinationKind

_MOST_PATTERNS, _PATTERN_CHARACTERS = 50, 512
#: settings with a grammar of their own, and what reads it
_READ: Mapping[str, Callable[[str], object]] = {
    "where": read_conditions,
    "mapping": read_mapping,
    "fresh_for": read_limit,
}


class _Refused(Exception):
    """What is wrong with one value."""


def check(kind: DestinationKind, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored: every field, or its default; those with a grammar only when they are set.

    Texts may come as a form has them; `types` as a list or as words between spaces or commas, `where` and
    `mapping` as lines or a list of them. Raises Invalid, a Fault a field.
    """
    fields = {field.name: field for field in kind.settings}
    faults = [Fault(name, _unknown(kind, name)) for name in settings if name not in fields]
    checked: dict[str, Any] = {}
    for name, field in fields.items():
        value = settings.get(name)
        try:
            if name in _READ:
                checked |= _read(field, value)
            else:
                checked[name] = _types(value) if name == "types" else _value(field, value)
        except _Refused as error:
            faults.append(Fault(name, str(error)))
    if faults:
        raise Invalid(faults)
    return checked


def _unknown(kind: DestinationKind, name: str) -> str:
    if kind.otlp_signal and name in {field.name for field in CHOOSING}:
        return (
            f"is not available here: {kind.title} takes every otlp.{kind.otlp_signal}, each as it came, in "
            "protobuf"
        )
    return "is not a setting of this kind"


def _read(field: FormField, value: Any) -> dict[str, str]:
    """As it is stored; without it, nothing: so that destinations made before it stay as they are."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "\n".join(value)
    text = _value(field, value.replace("\r\n", "\n") if isinstance(value, str) else value)
    if not text or not isinstance(text, str):
        return {}
    try:
        _READ[field.name](text)
    except (Misread, ValueError) as error:
        raise _Refused(str(error)) from None
    return {field.name: text}


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
