"""Which event types a destination wants: names and patterns with `*`, which stands for anything."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

ALL = "*"


def wanted(settings: Mapping[str, Any]) -> Callable[[str], bool] | None:
    """A test of an event's type by a destination's `types`; None when every event is wanted."""
    patterns: Sequence[str] = settings.get("types") or [ALL]
    if ALL in patterns:
        return None
    return lambda type_: any(matches(pattern, type_) for pattern in patterns)


def both(first: Callable[[str], bool], second: Callable[[str], bool] | None) -> Callable[[str], bool]:
    """A test that holds when both do."""
    return first if second is None else lambda type_: first(type_) and second(type_)


def matches(pattern: str, text: str) -> bool:
    """Whether the whole `text` is as `pattern` says, in linear time whatever the pattern."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    *middle, last = others
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
