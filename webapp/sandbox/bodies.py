"""Reading request bodies as strictly as a vendor may."""

import json
import zlib
from typing import NoReturn


class UnreadableError(ValueError):
    """A body that is not what its headers say."""


def loads(raw: bytes) -> object:
    """Read RFC 8259 JSON: UTF-8, and none of the NaN and Infinity that Python would let pass."""
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("not valid JSON") from error


def array_items(raw: bytes) -> list[tuple[object, str]]:
    """Read a JSON array into its items, each with its text as it was sent."""
    loads(raw)
    text = raw.decode("utf-8")
    decoder, at = json.JSONDecoder(), _skip(text, 0)
    items: list[tuple[object, str]] = []
    if text[at] != "[":
        raise UnreadableError("not an array")
    at = _skip(text, at + 1)
    while text[at] != "]":
        item, end = decoder.raw_decode(text, at)
        items.append((item, text[at:end]))
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return items


def gunzip(raw: bytes, limit: int = 50_000_000) -> bytes:
    """Unpack a gzip body, refusing one that grows beyond `limit` bytes."""
    try:
        stream = zlib.decompressobj(wbits=31)
        unpacked = stream.decompress(raw, limit + 1)
    except zlib.error as error:
        raise UnreadableError("not gzip") from error
    if len(unpacked) <= limit and not stream.eof:
        raise UnreadableError("gzip that breaks off")
    if len(unpacked) > limit:
        raise UnreadableError("too large when unpacked")
    return unpacked


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
