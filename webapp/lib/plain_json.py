r"""JSON of the usual kind, read and written by orjson; what that would do otherwise is left to Python's own.

Plain is a document that both read as the same value and write as the same text but for non-ASCII strings: no
key twice, no `\u` escapes, no number of more than 64 bits or with an exponent.
"""

import json
from typing import Any

import orjson

_SORTED = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class NotPlain(ValueError):
    """A document to be read by Python's parser, which may take it or not."""


def read(data: bytes, *, max_depth: int) -> Any:
    """The value of a plain document of at most `max_depth` levels. Raises NotPlain."""
    if b"\\u" in data:
        raise NotPlain
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise NotPlain from None
    _check_inside(value, max_depth)
    # Without \u escapes each colon of a kept member is written again; one that repeats a key was dropped.
    if orjson.dumps(value).count(b":") != data.count(b":"):
        raise NotPlain
    return value


def _check_inside(value: Any, max_depth: int) -> None:
    level: list[Any] = [(value,)]
    for _ in range(max_depth + 1):
        inner: list[Any] = []
        for one in level:
            for part in one.values() if type(one) is dict else one:
                kind = type(part)
                if kind is str:
                    continue
                if kind is dict or kind is list:
                    inner.append(part)
                elif kind is float and "e" in repr(part):  # so is an integer of more than 64 bits by now
                    raise NotPlain
        if not inner:
            return
        level = inner
    raise NotPlain


def compact(value: Any) -> bytes:
    """A JSON value as short text, in UTF-8."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits
        return _COMPACT.encode(value).encode()


def canonical(value: Any, *, plain: bool) -> bytes:
    """The one text of a JSON value: short, keys sorted, ASCII. `plain`: what `read` gave, or a part of it."""
    if plain:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        if text.isascii() and b"\x7f" not in text:
            return text
    return _SORTED.encode(value).encode()
