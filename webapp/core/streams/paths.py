"""Paths: how a setting's lines name a field of an envelope, `data.service` or `data."k8s.pod".name`."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str, ...]

#: what an envelope may hold at its top (webapp.core.events.drafts)
FIELDS = frozenset(
    {"id", "source", "type", "subject", "state", "time", "timestamp", "message", "started_at"}
    | {"error", "requestId", "traceId", "level", "duration", "data", "attributes"}
)
_MOST_LINES, _MOST_STEPS = 50, 32
# No possessive quantifiers: before 3.11.5, Python's re matches them wrong around a choice (its issue 106052).
_QUOTED_PART = r'"[^"\\]*(?:\\.[^"\\]*)*'
_QUOTED = rf'{_QUOTED_PART}"'
_CLOSED = re.compile(rf'(?:{_QUOTED}|[^\s"])+')
#: A quote that is never closed goes to the end of the line, which is so read once and not from each quote on.
_WORD = re.compile(rf'(?:{_QUOTED}|{_QUOTED_PART}\\?\Z|[^\s"])+')
_STEP = re.compile(rf'({_QUOTED}|[^\s."]+)(\.|$)')


class Misread(Exception):
    """What is wrong with one line, or with the lines as a whole."""


def lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers; # begins one for people. Raises Misread."""
    found = [(at, line.strip()) for at, line in enumerate(text.splitlines(), 1)]
    found = [(at, line) for at, line in found if line and not line.startswith("#")]
    if len(found) > _MOST_LINES:
        raise Misread(f"has {len(found)} lines, the limit is {_MOST_LINES}")
    return iter(found)


def words(line: str) -> list[str]:
    """The words of a line; a part in double quotes may hold blanks. Raises Misread."""
    found = _WORD.findall(line)
    if found and _CLOSED.fullmatch(found[-1]) is None:
        raise Misread("a double quote is never closed")
    return found


def read_path(word: str) -> Path:
    """The field that `word` names. Raises Misread."""
    steps: list[str] = []
    at = 0
    while at < len(word):
        found = _STEP.match(word, at)
        if found is None or (found.end() == len(word) and found[2] == "."):
            raise Misread(f"{word} is no field: names between dots, in double quotes what holds a dot")
        steps.append(unquoted(found[1]))
        at = found.end()
    if not steps:
        raise Misread("names no field")
    if len(steps) > _MOST_STEPS:
        raise Misread(f"a field {len(steps)} steps deep is too deep, the limit is {_MOST_STEPS}")
    return tuple(steps)


def unquoted(word: str) -> str:
    """A value as it is meant: a word, or a JSON string. Raises Misread."""
    if '"' not in word:
        return word
    try:
        value = json.loads(word)
    except ValueError:
        value = None
    if not isinstance(value, str):
        raise Misread(f"{word} is neither a word nor a text in double quotes")
    return value


def look(envelope: Mapping[str, Any], path: Path) -> Any:
    """The value there; None when there is none."""
    value: Any = envelope
    for step in path:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def parse_envelope(body: bytes) -> dict[str, Any]:
    """The envelope; empty where a body is none, like OTLP's."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
