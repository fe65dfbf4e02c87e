"""The statements that touch many events at once, each as its database does it fastest.

PostgreSQL takes whole columns as arrays, so that a statement is planned once whatever its size; SQLite is in
this process and takes row by row.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from webapp.lib.database import run_on_sqlite
from webapp.lib.postgres_arrays import ARRAYS, PostgresArray
from webapp.lib.times import sqlite_text


class NewEvent(NamedTuple):
    """A row of events that is to be written: its columns but the two of `Growth`, in their order."""

    seq: int
    key_hash: bytes
    digest: bytes
    type: str
    source: str
    subject: str | None
    state: str | None
    time: datetime
    body: bytes
    #: of the stream's bodies, with this one
    bytes_in: int


class Growth(NamedTuple):
    """What one stream gains at one moment: at least one event, in the order of their seqs."""

    stream_id: UUID
    accepted_at: datetime
    events: Sequence[NewEvent]
    #: whether one of its destinations may have nothing to do so far
    idle: bool = True


_TYPES = {
    "stream_id": "uuid",
    "accepted_at": "timestamptz",
    "seq": "bigint",
    "key_hash": "bytea",
    "digest": "bytea",
    "type": "text",
    "source": "text",
    "subject": "text",
    "state": "text",
    "time": "timestamptz",
    "body": "bytea",
    "bytes_in": "bigint",
}
_ARRAYS = ", ".join(f"CAST(%({name})s AS {type_}[])" for name, type_ in _TYPES.items())
_INTO = f"INSERT INTO events ({', '.join(_TYPES)})"
#: On PostgreSQL: the events alone.
INSERT_ARRAYS = f"{_INTO} SELECT * FROM unnest({_ARRAYS})"  # noqa: S608 - names of our own
#: The same, the streams' new heads, and who is to read them: one trip.
_WRITE_ARRAYS = (
    f"WITH stored AS ({INSERT_ARRAYS}), moved AS ("  # noqa: S608 - names of our own
    "UPDATE streams SET head_seq = head.seq, last_accepted_at = head.at, bytes_in = head.bytes FROM"
    " unnest(CAST(%(heads)s AS uuid[]), CAST(%(seqs)s AS bigint[]), CAST(%(ats)s AS timestamptz[]),"
    " CAST(%(totals)s AS bigint[])) AS head (id, seq, at, bytes) WHERE streams.id = head.id) "
    "UPDATE destinations SET due_at = clock_timestamp()"
    " WHERE stream_id = ANY(%(heads)s) AND due_at IS NULL AND hold IS NULL"
)
_KNOWN_IN_ARRAYS = (
    "SELECT stream_id, key_hash, seq, digest FROM events JOIN"
    " unnest(CAST(%(stream_id)s AS uuid[]), CAST(%(key_hash)s AS bytea[])) AS wanted (stream_id, key_hash)"
    " USING (stream_id, key_hash)"
)
#: On SQLite: of so many pairs. The order of the join is said, or it would read the whole table.
_KNOWN_IN_PAIRS = (
    "SELECT stream_id, key_hash, seq, digest FROM (VALUES {}) AS wanted CROSS JOIN events"
    " ON stream_id = wanted.column1 AND key_hash = wanted.column2"
)
_MARKS = ", ".join("?" * len(_TYPES))
#: In one statement: SQLite's driver gives up the GIL with each.
_MOST_ROWS = 32


@lru_cache(maxsize=_MOST_ROWS)
def _insertion(count: int) -> str:
    return f"{_INTO} VALUES {', '.join([f'({_MARKS})'] * count)}"


_MOVE_HEADS = (
    "UPDATE streams SET head_seq = value ->> 0, last_accepted_at = value ->> 1, bytes_in = value ->> 2"
    " FROM json_each(?) WHERE streams.id = value ->> 3"
)
_MAKE_DUE = (
    "UPDATE destinations SET due_at = hitchpost_time(0)"
    " WHERE stream_id IN (SELECT value FROM json_each(?)) AND due_at IS NULL AND hold IS NULL"
)


def find_known(
    connection: Connection, keys: Sequence[tuple[UUID, bytes]]
) -> dict[tuple[UUID, bytes], tuple[int, bytes]]:
    """Which of these (stream, key hash) are stored: with the seq and digest of each."""
    if _has_arrays(connection):
        columns = {
            "stream_id": ARRAYS["uuid"]([stream for stream, _ in keys]),
            "key_hash": ARRAYS["bytea"]([key for _, key in keys]),
        }
        stored = connection.exec_driver_sql(_KNOWN_IN_ARRAYS, columns)
        return {(stream, key): (seq, digest) for stream, key, seq, digest in stored}
    wanted = _KNOWN_IN_PAIRS.format(", ".join(["(?, ?)"] * len(keys)))
    pairs = tuple(part for stream, key in keys for part in (stream.hex, key))
    found = run_on_sqlite(connection, wanted, pairs).rows
    return {(UUID(stream), key): (seq, digest) for stream, key, seq, digest in found}


def write_events(connection: Connection, grown: Sequence[Growth]) -> bool:
    """Insert events, which end at the new head of each stream, and make who reads those due.

    True when a destination became due. The streams are locked by the caller.
    """
    ends = [(one.stream_id, one.accepted_at, one.events[-1]) for one in grown]
    if _has_arrays(connection):
        moved = {
            "heads": ARRAYS["uuid"]([stream for stream, _, _ in ends]),
            "seqs": ARRAYS["bigint"]([last.seq for _, _, last in ends]),
            "ats": ARRAYS["timestamptz"]([at for _, at, _ in ends]),
            "totals": ARRAYS["bigint"]([last.bytes_in for _, _, last in ends]),
        }
        return connection.exec_driver_sql(_WRITE_ARRAYS, as_columns(grown) | moved).rowcount > 0
    insert_rows(connection, grown)
    moved_to = [(last.seq, sqlite_text(at), last.bytes_in, stream.hex) for stream, at, last in ends]
    run_on_sqlite(connection, _MOVE_HEADS, (json.dumps(moved_to),))
    due = [one.stream_id.hex for one in grown if one.idle]
    return bool(due) and run_on_sqlite(connection, _MAKE_DUE, (json.dumps(due),)).changed > 0


def insert_rows(connection: Connection, grown: Sequence[Growth]) -> None:
    """Insert events on SQLite."""
    rows = [row for one in grown for row in _as_rows(one)]
    for at in range(0, len(rows), _MOST_ROWS):
        some = rows[at : at + _MOST_ROWS]
        run_on_sqlite(connection, _insertion(len(some)), tuple(chain.from_iterable(some)))


def as_columns(grown: Sequence[Growth]) -> dict[str, PostgresArray]:
    """The values for `INSERT_ARRAYS`."""
    columns: list[Sequence[Any]] = [
        [one.stream_id for one in grown for _ in one.events],
        [one.accepted_at for one in grown for _ in one.events],
        *zip(*chain.from_iterable(one.events for one in grown), strict=True),
    ]
    return {
        name: ARRAYS[type_](column) for (name, type_), column in zip(_TYPES.items(), columns, strict=True)
    }


def _as_rows(one: Growth) -> Iterator[tuple[Any, ...]]:
    """The values as the columns' types would write them, without asking them for each."""
    stream, accepted_at = one.stream_id.hex, sqlite_text(one.accepted_at)
    for seq, key_hash, digest, type_, source, subject, state, time, body, bytes_in in one.events:
        same = (seq, key_hash, digest, type_, source, subject, state)
        yield (stream, accepted_at, *same, sqlite_text(time), body, bytes_in)


def _has_arrays(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
