"""Mappings: an envelope with fields renamed, dropped and set: a change a line, from the top down.

    data.region -> region         the value moves; where there is none, nothing happens
    - data.secret                 it is left out
    data.team = payments          it is set, always to a text

Each line sees what those before it left. A target that is there already is replaced; objects on the way to it
are made; where something else than an object is in the way, the line does nothing. What an event is and when
it happened stays: `id`, `source`, `type`, `state`, `time`, `timestamp`, `started_at`. `subject` and `message`
stay texts. An envelope has copies at its top of `error`, `requestId`, `traceId`, `level`, `duration` and
`message` of its data: whoever drops one drops both.
"""

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, TypeAlias

from webapp.core.streams import paths
from webapp.core.streams.paths import Misread, Path

#: A change of an envelope, in place.
Change: TypeAlias = Callable[[dict[str, Any]], None]

FIXED = frozenset({"id", "source", "type", "state", "time", "timestamp", "started_at"})
_TEXTS = frozenset({"subject", "message"})
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=256)
def read_mapping(text: str) -> tuple[Change, ...]:
    """The changes of a setting, in its order. Raises Misread, which names the first bad line."""
    return tuple(_change(at, line) for at, line in paths.lines(text))


def apply(changes: Iterable[Change], envelope: dict[str, Any]) -> bytes:
    """The envelope after all changes, as it is sent: compact JSON in UTF-8. It is changed in place."""
    for change in changes:
        change(envelope)
    return _COMPACT.encode(envelope).encode()


def _change(at: int, line: str) -> Change:
    try:
        match paths.words(line):
            case ["-", field]:
                return _drop(_own(field))
            case [field, "->", target]:
                return _move(_own(field), _target(target))
            case [field, "=", value]:
                return _set(_target(field), paths.unquoted(value))
            case [_, "=", _, *_]:
                raise Misread("behind = stands one value; put one that holds blanks in double quotes")
        raise Misread("write `field -> name`, `- field` or `field = value`")
    except Misread as error:
        raise Misread(f"has a fault in line {at}: {error}") from None


def _own(word: str) -> Path:
    path = paths.read_path(word)
    if path[0] in FIXED:
        raise Misread(f"{path[0]} cannot be changed: it says what the event is, or when it happened")
    return path


def _target(word: str) -> Path:
    path = _own(word)
    if path in {("data",), ("attributes",)}:
        raise Misread(f"name a field inside {word}")
    return path


def _drop(path: Path) -> Change:
    return lambda envelope: _take(envelope, path)


def _move(path: Path, target: Path) -> Change:
    into_itself = target[: len(path)] == path

    def move(envelope: dict[str, Any]) -> None:
        value = _fitting(paths.look(envelope, path), target)
        if value is not None and not into_itself and _is_free(envelope, target):
            _take(envelope, path)
            _put(envelope, target, value)

    return move


def _set(target: Path, value: str) -> Change:
    def put(envelope: dict[str, Any]) -> None:
        if _is_free(envelope, target):
            _put(envelope, target, value)

    return put


def _fitting(value: Any, target: Path) -> Any:
    """The value as its new place takes it; None when that takes texts and it cannot be one."""
    if len(target) > 1 or target[0] not in _TEXTS or isinstance(value, str | None):
        return value
    return None if isinstance(value, dict | list) else json.dumps(value)


def _take(envelope: dict[str, Any], path: Path) -> None:
    holder = paths.look(envelope, path[:-1])
    if isinstance(holder, dict):
        holder.pop(path[-1], None)


def _put(envelope: dict[str, Any], target: Path, value: Any) -> None:
    holder = envelope
    for step in target[:-1]:
        holder = holder.setdefault(step, {})
    holder[target[-1]] = value


def _is_free(envelope: dict[str, Any], target: Path) -> bool:
    """Whether nothing but objects is on the way to it."""
    holder: Any = envelope
    for step in target[:-1]:
        holder = holder.get(step, {})
        if not isinstance(holder, dict):
            return False
    return True
