"""The statements that touch many events at once, each as its database does it fastest.

PostgreSQL takes whole columns as arrays, so that a statement is planned once whatever its size; SQLite is in
this process and takes row by row.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, bindparam, text, update
from sqlalchemy.orm import Session

from webapp.lib.database import db_time
from webapp.lib.times import sqlite_text
from webapp.models import Destination


class NewEvent(NamedTuple):
    """A row of events that is to be written: its columns, in their order."""

    stream_id: UUID
    seq: int
    key_hash: bytes
    digest: bytes
    type: str
    source: str
    subject: str | None
    state: str | None
    time: datetime
    accepted_at: datetime
    body: bytes
    #: of the stream's bodies, with this one
    bytes_in: int


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
_INTO = f"INSERT INTO events ({', '.join(_TYPES)})"
#: On PostgreSQL: the events alone.
INSERT_ARRAYS = f"{_INTO} SELECT * FROM unnest({_ARRAYS})"  # noqa: S608 - names of our own
#: The same, the streams' new heads, and who is to read them: one trip.
_WRITE_ARRAYS = text(
    f"WITH stored AS ({INSERT_ARRAYS}), moved AS ("  # noqa: S608 - names of our own
    "UPDATE streams SET head_seq = head.seq, last_accepted_at = head.at, bytes_in = head.bytes FROM"
    " unnest(CAST(:heads AS uuid[]), CAST(:seqs AS bigint[]), CAST(:ats AS timestamptz[]),"
    " CAST(:totals AS bigint[])) AS head (id, seq, at, bytes) WHERE streams.id = head.id) "
    "UPDATE destinations SET due_at = clock_timestamp()"
    " WHERE stream_id = ANY(:heads) AND due_at IS NULL AND hold IS NULL"
)
_KNOWN_IN_ARRAYS = text(
    "SELECT stream_id, key_hash, seq, digest FROM events JOIN"
    " unnest(CAST(:stream_id AS uuid[]), CAST(:key_hash AS bytea[])) AS wanted (stream_id, key_hash)"
    " USING (stream_id, key_hash)"
)
_KNOWN_IN_STREAM = "SELECT key_hash, seq, digest FROM events WHERE stream_id = ? AND key_hash IN"
_MARKS = ", ".join("?" * len(_TYPES))
_INSERT_ROW = f"{_INTO} VALUES ({_MARKS})"
_MOVE_HEAD = "UPDATE streams SET head_seq = ?, last_accepted_at = ?, bytes_in = ? WHERE id = ?"
_MAKE_DUE = (
    update(Destination)
    .where(
        Destination.stream_id.in_(bindparam("streams", expanding=True)),
        Destination.due_at.is_(None),
        Destination.hold.is_(None),
    )
    .values(due_at=db_time())
)


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


def write_events(session: Session, events: Sequence[NewEvent]) -> bool:
    """Insert events, which end at the new head of each stream, and make who reads those due.

    True when a destination became due. The streams are locked by the caller.
    """
    connection = session.connection()
    heads = {event.stream_id: event for event in events}.values()
    streams = [head.stream_id for head in heads]
    if _has_arrays(connection):
        moved = {
            "heads": streams,
            "seqs": [head.seq for head in heads],
            "ats": [head.accepted_at for head in heads],
            "totals": [head.bytes_in for head in heads],
        }
        return connection.execute(_WRITE_ARRAYS, as_columns(events) | moved).rowcount > 0
    insert_rows(connection, events)
    ends = [(head.seq, sqlite_text(head.accepted_at), head.bytes_in, head.stream_id.hex) for head in heads]
    connection.exec_driver_sql(_MOVE_HEAD, ends)
    return connection.execute(_MAKE_DUE, {"streams": streams}).rowcount > 0


def insert_rows(connection: Connection, events: Sequence[NewEvent]) -> None:
    """Insert events on SQLite."""
    connection.exec_driver_sql(_INSERT_ROW, [_as_row(event) for event in events])


def as_columns(events: Sequence[NewEvent]) -> dict[str, list[Any]]:
    """The values for `INSERT_ARRAYS`."""
    return {name: list(column) for name, column in zip(_TYPES, zip(*events, strict=True), strict=True)}


def _find_in_rows(connection: Connection, stream: UUID, keys: Sequence[bytes]) -> Iterable[Any]:
    # A stream at a time: for pairs SQLite would read the whole table and no index.
    query = _KNOWN_IN_STREAM + f" ({', '.join('?' * len(keys))})"
    return connection.exec_driver_sql(query, (stream.hex, *keys))


def _as_row(event: NewEvent) -> tuple[Any, ...]:
    """An event's values as the columns' types would write them, without asking them for each."""
    stream_id, *same, time, accepted_at, body, bytes_in = event
    return (stream_id.hex, *same, sqlite_text(time), sqlite_text(accepted_at), body, bytes_in)


def _has_arrays(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
