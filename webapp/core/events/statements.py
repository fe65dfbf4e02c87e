"""The two statements that touch many events at once, each as its database does it fastest.

PostgreSQL takes whole columns as arrays, so that a statement is planned once whatever its size; SQLite is in
this process and takes row by row.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from webapp.lib.times import sqlite_text

_TYPES = {
    "stream_id": "uuid",
    "seq": "bigint",
    "key_hash": "bytea",
    "digest": "bytea",
    "type": "text",
    "source": "text",
    "subject": "text",
    "state": "text",
    "time": "timestamptz",
    "accepted_at": "timestamptz",
    "body": "bytea",
    "bytes_in": "bigint",
}
_ARRAYS = ", ".join(f"CAST(:{name} AS {type_}[])" for name, type_ in _TYPES.items())
_INSERT_ARRAYS = text(
    f"INSERT INTO events ({', '.join(_TYPES)}) SELECT * FROM unnest({_ARRAYS})"  # noqa: S608 - names of our own
)
_KNOWN_IN_ARRAYS = text(
    "SELECT stream_id, key_hash, seq, digest FROM events JOIN"
    " unnest(CAST(:stream_id AS uuid[]), CAST(:key_hash AS bytea[])) AS wanted (stream_id, key_hash)"
    " USING (stream_id, key_hash)"
)
_KNOWN_IN_STREAM = "SELECT key_hash, seq, digest FROM events WHERE stream_id = ? AND key_hash IN"
_MARKS = ", ".join("?" * len(_TYPES))
_INSERT_ROW = f"INSERT INTO events ({', '.join(_TYPES)}) VALUES ({_MARKS})"  # noqa: S608 - names of our own


def find_known(
    session: Session, keys: Sequence[tuple[UUID, bytes]]
) -> dict[tuple[UUID, bytes], tuple[int, bytes]]:
    """Which of these (stream, key hash) are stored: with the seq and digest of each."""
    connection = session.connection()
    if _has_arrays(connection):
        columns = {"stream_id": [stream for stream, _ in keys], "key_hash": [key for _, key in keys]}
        found = connection.execute(_KNOWN_IN_ARRAYS, columns)
        return {(stream, key): (seq, digest) for stream, key, seq, digest in found}
    of_stream: dict[UUID, list[bytes]] = defaultdict(list)
    for stream, key in keys:
        of_stream[stream].append(key)
    return {
        (stream, key): (seq, digest)
        for stream, wanted in of_stream.items()
        for key, seq, digest in _find_in_rows(connection, stream, wanted)
    }


def insert_events(session: Session, events: Sequence[dict[str, Any]]) -> None:
    """Insert events; each has a value for every column, in the order of the table's."""
    connection = session.connection()
    if _has_arrays(connection):
        connection.execute(_INSERT_ARRAYS, {name: [event[name] for event in events] for name in _TYPES})
    else:
        connection.exec_driver_sql(_INSERT_ROW, [_as_row(event) for event in events])


def _find_in_rows(connection: Connection, stream: UUID, keys: Sequence[bytes]) -> Iterable[Any]:
    # A stream at a time: for pairs SQLite would read the whole table and no index.
    query = _KNOWN_IN_STREAM + f" ({', '.join('?' * len(keys))})"
    return connection.exec_driver_sql(query, (stream.hex, *keys))


def _as_row(event: dict[str, Any]) -> tuple[Any, ...]:
    """An event's values as the columns' types would write them, without asking them for each."""
    times = {name: sqlite_text(event[name]) for name in ("time", "accepted_at")}
    return tuple((event | times | {"stream_id": event["stream_id"].hex}).values())


def _has_arrays(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
