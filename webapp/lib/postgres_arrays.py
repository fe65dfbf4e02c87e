"""Arrays as PostgreSQL takes them on the wire, in binary.

psycopg writes a list value by value in Python, which costs more than all else of storing many rows. These are
written a whole column at a time. The form is that of array_recv() and of each element's recv function:
number of dimensions, whether there are nulls, the element's oid, length and lower bound of the one dimension,
then each element behind its length in bytes, or -1 for null.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEAD = struct.Struct(">iiIii")
_LENGTH = struct.Struct(">i")
_NUMBER = struct.Struct(">iq")
_NULL = _LENGTH.pack(-1)
_SIXTEEN = _LENGTH.pack(16)
#: PostgreSQL counts the microseconds from here
_EPOCH, _MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class PostgresArray:
    """A value for a parameter; made by the functions of `ARRAYS`."""

    __slots__ = ("payload",)

    def __init__(self, payload: bytes) -> None:
        self.payload = payload


def _numbers(values: Iterable[int]) -> Iterable[bytes]:
    return (_NUMBER.pack(8, value) for value in values)


def _uuids(values: Iterable[UUID]) -> Iterable[bytes]:
    return (_SIXTEEN + value.bytes for value in values)


def _bytes(values: Iterable[bytes]) -> Iterable[bytes]:
    return (_LENGTH.pack(len(value)) + value for value in values)


def _texts(values: Iterable[str | None]) -> Iterable[bytes]:
    for value in values:
        if value is None:
            yield _NULL
        else:
            text = value.encode()
            yield _LENGTH.pack(len(text)) + text


def _times(values: Iterable[datetime]) -> Iterable[bytes]:
    return (_NUMBER.pack(8, (value - _EPOCH) // _MICROSECOND) for value in values)


def _kind(
    element: str, write: Callable[[Iterable[Any]], Iterable[bytes]]
) -> Callable[[Sequence[Any]], PostgresArray]:
    """What makes an array of `element`, which psycopg then sends as it is."""
    info = psycopg.adapters.types[element]
    kind = type(f"{element}_array", (PostgresArray,), {"__slots__": ()})

    class _Dumper(Dumper):
        format = Format.BINARY
        oid = info.array_oid

        def dump(self, obj: PostgresArray) -> bytes:
            return obj.payload

    psycopg.adapters.register_dumper(kind, _Dumper)

    def make(values: Sequence[Any]) -> PostgresArray:
        made: PostgresArray = kind(
            _HEAD.pack(1, 1, info.oid, len(values), 1) + b"".join(write(values))
            if values
            else _HEAD.pack(0, 0, info.oid, 0, 0)[:12]
        )
        return made

    return make


#: By the name of the element's type, what makes an array of a sequence of values.
ARRAYS: dict[str, Callable[[Sequence[Any]], PostgresArray]] = {
    "bigint": _kind("int8", _numbers),
    "bytea": _kind("bytea", _bytes),
    "text": _kind("text", _texts),
    "timestamptz": _kind("timestamptz", _times),
    "uuid": _kind("uuid", _uuids),
}
