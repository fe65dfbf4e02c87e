"""The two statements that touch many events at once, each as its database does it fastest.

PostgreSQL takes whole columns as arrays, so that a statement is planned once whatever its size; SQLite is in
this process and takes row by row.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert, select, text, tuple_
from sqlalchemy.orm import Session

from webapp.models import Event

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
_KNOWN_IN_ROWS = select(Event.stream_id, Event.key_hash, Event.seq, Event.digest).where(
    tuple_(Event.stream_id, Event.key_hash).in_(bindparam("keys", expanding=True))
)
_INSERT_ROWS = insert(Event)


def find_known(
    session: Session, keys: Sequence[tuple[UUID, bytes]]
) -> dict[tuple[UUID, bytes], tuple[int, bytes]]:
    """Which of these (stream, key hash) are stored: with the seq and digest of each."""
    connection = session.connection()
    if _has_arrays(connection):
        columns = {"stream_id": [stream for stream, _ in keys], "key_hash": [key for _, key in keys]}
        found = connection.execute(_KNOWN_IN_ARRAYS, columns)
    else:
        found = connection.execute(_KNOWN_IN_ROWS, {"keys": keys})
    return {(stream, key): (seq, digest) for stream, key, seq, digest in found}


def insert_events(session: Session, events: Sequence[dict[str, Any]]) -> None:
    """Insert events; each has a value for every column."""
    connection = session.connection()
    if _has_arrays(connection):
        connection.execute(_INSERT_ARRAYS, {name: [event[name] for event in events] for name in _TYPES})
    else:
        connection.execute(_INSERT_ROWS, events)


def _has_arrays(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
