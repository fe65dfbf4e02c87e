"""Conditions: which events a destination wants by what they hold. One a line, and all of them must hold.

    data.environment = production      data.service in cart checkout      subject ~ checkout-*
    data.level != debug                data.service not in a b            subject !~ *-test
    data.team present                  data.canary absent

A text is compared as it is; a number, true or false as JSON writes it. `~` knows one sign, `*`: anything. Of
a list one item is enough. What is absent or null equals nothing, so `!=`, `not in` and `!~` hold for it.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from webapp.core.streams import paths
from webapp.core.streams.filters import matches
from webapp.core.streams.paths import Misread, Path

#: kept beside the body, so that a condition on them needs no look into it
COLUMNS = frozenset({"type", "source", "subject", "state"})
_HOW = "= != ~ !~ in, not in, present or absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One line: the field, how its values are judged, and whether the opposite is asked for."""

    line: int
    text: str
    path: Path
    test: Callable[[str], bool] | None
    negated: bool = False

    @property
    def needs_body(self) -> bool:
        """Whether an event's body has to be read for it."""
        return len(self.path) > 1 or self.path[0] not in COLUMNS

    def holds(self, envelope: Mapping[str, Any]) -> bool:
        """Whether an event is as it says."""
        value = paths.look(envelope, self.path)
        found = value is not None if self.test is None else any(map(self.test, _texts(value)))
        return found is not self.negated


@lru_cache(maxsize=256)
def read_conditions(text: str) -> tuple[Condition, ...]:
    """The conditions of a setting, in its order. Raises Misread, which names the first bad line."""
    return tuple(_condition(at, line) for at, line in paths.lines(text))


def _condition(at: int, line: str) -> Condition:
    try:
        field, *rest = paths.words(line)
        path = paths.read_path(field)
        if path[0] not in paths.FIELDS:
            raise Misread(f"an event has no {field}; what the app sent is in data: data.{field}")
        test, negated = _judgement(rest)
    except Misread as error:
        raise Misread(f"has a fault in line {at}: {error}") from None
    return Condition(line=at, text=line, path=path, test=test, negated=negated)


def _judgement(rest: Sequence[str]) -> tuple[Callable[[str], bool] | None, bool]:
    match rest:
        case ["present"]:
            return None, False
        case ["absent"]:
            return None, True
        case ["=" | "!=" as sign, value]:
            return _equal([value]), sign == "!="
        case ["~" | "!~" as sign, value]:
            pattern = paths.unquoted(value)
            return (lambda text: matches(pattern, text)), sign == "!~"
        case ["in", _, *_]:
            return _equal(rest[1:]), False
        case ["not", "in", _, *_]:
            return _equal(rest[2:]), True
        case ["=" | "!=" | "~" | "!~" as sign, _, *_]:
            raise Misread(f"behind {sign} stands one value; put one that holds blanks in double quotes")
        case ["=" | "!=" | "~" | "!~" | "in"] | ["not", "in"]:
            raise Misread(f"behind {' '.join(rest)} a value is missing")
        case ["present" | "absent" as word, *_]:
            raise Misread(f"behind {word} stands nothing")
    raise Misread(f"behind the field stands one of {_HOW}")


def _equal(values: Sequence[str]) -> Callable[[str], bool]:
    return frozenset(map(paths.unquoted, values)).__contains__


def _texts(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else (value,):
        if isinstance(item, str):
            yield item
        elif isinstance(item, int | float):
            yield json.dumps(item)
