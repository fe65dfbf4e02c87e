"""JSON as we accept it from anybody: bounded, unambiguous, and storable in both databases.

Python's parser alone takes NaN, 1e999, repeated keys and lone surrogates, and dies of a RecursionError on
deep nesting; PostgreSQL refuses NUL. Each of those is named here instead (I-JSON, RFC 7493 §2).
"""

import json
import re
from typing import Never, TypeAlias

from webapp.errors import Fault, Invalid
from webapp.lib import plain_json

#: What a document can be.
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

MAX_DEPTH = 64
_MAX_INTEGER_DIGITS = 40
_ESCAPES = re.compile(rb"\\.", re.DOTALL)
_BRACKETS = re.compile(rb"[\[{\]}]")
_UNSAFE = re.compile("[\\x00\ud800-\udfff]")


def loads(data: bytes, *, max_bytes: int, any_text: bool = False) -> Json:
    """Parse `data`. Raises Invalid with one Fault that says what is wrong; never anything else.

    `any_text` lets strings hold NUL and lone surrogates, for who keeps them out of the database's texts.
    """
    return loads_marked(data, max_bytes=max_bytes, any_text=any_text)[0]


def loads_marked(data: bytes, *, max_bytes: int, any_text: bool = False) -> tuple[Json, bool]:
    """As `loads`, and whether the document is plain (lib.plain_json)."""
    if len(data) > max_bytes:
        raise _fault(f"is {len(data):,} bytes, the limit is {max_bytes:,}")
    try:
        return plain_json.read(data, max_depth=MAX_DEPTH), True
    except plain_json.NotPlain:
        return _read(data, any_text=any_text), False


def _read(data: bytes, *, any_text: bool) -> Json:
    if _depth_exceeds(data, MAX_DEPTH):
        raise _fault(f"is nested deeper than {MAX_DEPTH} levels")
    try:
        text = data.decode("utf-8")
        value: Json = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise _fault(f"is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _fault(f"is not JSON: {error.msg} at character {error.pos}") from None
    except (_Refused, RecursionError, ValueError) as error:
        what = str(error) if isinstance(error, _Refused) else "holds a number or nesting that cannot be read"
        raise _fault(what) from None
    if not any_text and (b"\\u" in data or b"\x00" in data):
        _refuse_unsafe(text)
    return value


class _Refused(Exception):
    """A value that the grammar allows and we do not."""


def _fault(what: str) -> Invalid:
    return Invalid([Fault("", what)], f"the body {what}")


def _constant(name: str) -> Never:
    message = f"holds {name}, which is not JSON"
    raise _Refused(message)


def _integer(digits: str) -> int:
    if len(digits) > _MAX_INTEGER_DIGITS:
        message = f"holds an integer of {len(digits)} digits, the limit is {_MAX_INTEGER_DIGITS}"
        raise _Refused(message)
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if value in {float("inf"), float("-inf")}:
        message = "holds a number too large for a double"
        raise _Refused(message)
    return value


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                message = f"repeats the key {key[:60]!r}"
                raise _Refused(message)
            seen.add(key)
    return value


_DECODER = json.JSONDecoder(
    parse_constant=_constant, parse_int=_integer, parse_float=_float, object_pairs_hook=_object
)


def _depth_exceeds(data: bytes, limit: int) -> bool:
    if data.count(b"[") + data.count(b"{") <= limit:
        return False  # the common case, at the speed of a byte count
    depth = 0
    # Without escapes every quote begins or ends a string. No step looks at a byte twice, whatever is sent.
    outside = b" ".join(_ESCAPES.sub(b"", data).split(b'"')[::2])
    for bracket in _BRACKETS.finditer(outside):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > limit:
            return True
    return False


def _refuse_unsafe(text: str) -> None:
    """NUL and lone surrogates can be written only as escapes: look for them in the parsed strings."""

    def walk(value: Json) -> None:
        if isinstance(value, str):
            if _UNSAFE.search(value):
                message = "holds NUL or half of a surrogate pair"
                raise _fault(message)
        elif isinstance(value, dict):
            for key, item in value.items():
                walk(key)
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(json.loads(text))
