"""Searching for secrets where none may lie: their readings, and every byte of a database or of Redis."""

import base64
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from redis import Redis
from sqlalchemy import MetaData, select

from webapp.core.runtime import Runtime


def readings(secret: str) -> Iterator[bytes]:
    """A secret as it may lie about: plain, hex, percent-encoded, base64 at each of the three offsets."""
    plain = secret.encode()
    yield plain
    yield plain.hex().encode()
    yield plain.hex().upper().encode()
    yield quote(secret, safe="").encode()
    for offset in range(3):
        padded = base64.b64encode(b"\0" * offset + plain)
        # The first and last letters mix with the neighbours.
        yield padded[4 if offset else 0 : len(padded) - 4]
        yield padded[4 if offset else 0 : len(padded) - 4].translate(bytes.maketrans(b"+/", b"-_"))


def dump(runtime: Runtime) -> bytes:
    """Every value of every table, and on SQLite the files themselves."""
    pieces: list[bytes] = []
    tables = MetaData()
    tables.reflect(runtime.database.engine)
    with runtime.database.engine.connect() as connection:
        for table in tables.sorted_tables:
            for row in connection.execute(select(table)):
                pieces += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    if runtime.database.is_sqlite:
        path = Path(str(runtime.database.url.database))
        pieces += [file.read_bytes() for file in path.parent.glob(f"{path.name}*")]
    return b"\n".join(pieces)


def dump_redis(client: Redis) -> bytes:
    """Every key of that server's database with every value, unpacked."""
    readers: dict[Any, Callable[[Any], Any]] = {
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"hash": client.hgetall,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
        # Gone since it was listed.
        b"none": lambda key: None,
    }
    return b"\n".join(
        piece for key in client.scan_iter() for piece in (key, *_flat(readers[client.type(key)](key)))
    )


def found(secrets: Iterable[str], everything: bytes) -> list[str]:
    """Which of the secrets lie there, in any reading."""
    return [secret for secret in secrets if any(reading in everything for reading in readings(secret))]


def _flat(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _flat(pair)
    elif isinstance(value, list | tuple | set):
        for one in value:
            yield from _flat(one)
