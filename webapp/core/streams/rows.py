"""Streams as rows: making them, and the lock under which a seq is given and a reader goes idle."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from webapp.lib import clock
from webapp.lib.database import Database, run_on_sqlite
from webapp.lib.ids import uuid7
from webapp.lib.postgres_arrays import ARRAYS
from webapp.lib.times import utc_of
from webapp.models import Stream


class Head(NamedTuple):
    """Where a stream stands, read under its lock."""

    seq: int
    tail_seq: int
    last_accepted_at: datetime | None
    #: the database's clock
    now: datetime
    #: the bytes of all its bodies, and what was settled by all when that was last looked up
    bytes_in: int = 0
    floor_seq: int = 0
    floor_bytes: int = 0
    #: whether a destination of it may have nothing to do, and is to be told when something comes
    idle: bool = True


def ensure(session: Session, user_id: UUID) -> UUID:
    """The id of the user's stream, made now if it is the first time: two at once make one."""
    made = _insert(session)(Stream).values(id=uuid7(), user_id=user_id, head_seq=0, tail_seq=1)
    session.execute(made.on_conflict_do_nothing(index_elements=["user_id"]))
    return session.execute(select(Stream.id).where(Stream.user_id == user_id)).scalar_one()


def ensure_all(database: Database, user_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The streams of several users, each made in a transaction of its own: no lock waits for another's."""
    made: dict[UUID, UUID] = {}
    for user_id in user_ids:
        with database.write() as session:
            made[user_id] = ensure(session, user_id)
    return made


def lock(connection: Connection, stream_ids: Collection[UUID], *, briefly: bool = False) -> dict[UUID, Head]:
    """Lock streams in the order of their ids, before any destination, and say where they stand.

    FOR NO KEY UPDATE, so that events (which refer to the row by its key) can be inserted meanwhile.
    `briefly`: on PostgreSQL the transaction waits for no lock longer than a second.
    """
    if connection.dialect.name != "postgresql":
        return _read_all(connection, stream_ids)
    asked = _LOCK_BRIEFLY if briefly else _LOCK_IN_ARRAY
    found = connection.exec_driver_sql(asked, {"ids": ARRAYS["uuid"](list(stream_ids))})
    return {row[0]: Head(*row[1:]) for row in found}


def _read_all(connection: Connection, stream_ids: Collection[UUID]) -> dict[UUID, Head]:
    """On SQLite who writes holds the only lock there is. In one row: the GIL is given up at each."""
    asked = json.dumps([one.hex for one in stream_ids])
    ((found,),), now = run_on_sqlite(connection, _ALL_IN_ONE, (asked,)).rows, clock.now()
    return {
        UUID(id_): Head(seq, tail, at and utc_of(at), now, bytes_in, floor, floor_bytes, bool(idle))
        for id_, seq, tail, at, bytes_in, floor, floor_bytes, idle in json.loads(found)
    }


# In every request's way: text from the start, with one parameter whatever the number of streams.
_LOCK = (
    "SELECT id, head_seq, tail_seq, last_accepted_at, clock_timestamp(), bytes_in, floor_seq, floor_bytes"
    " FROM streams WHERE id = ANY(%(ids)s){} ORDER BY id FOR NO KEY UPDATE"
)
_LOCK_IN_ARRAY = _LOCK.format("")
#: A volatile condition is looked at row by row, before the row is locked: it saves a trip of its own.
_LOCK_BRIEFLY = _LOCK.format(" AND set_config('lock_timeout', '1s', true) <> ''")
_ALL_IN_ONE = (
    "SELECT json_group_array(json_array("
    "id, head_seq, tail_seq, last_accepted_at, bytes_in, floor_seq, floor_bytes,"
    " EXISTS (SELECT 1 FROM destinations WHERE stream_id = streams.id AND due_at IS NULL AND hold IS NULL)"
    ")) FROM streams"
    " WHERE id IN (SELECT value FROM json_each(?))"
)


def _insert(session: Session) -> type[postgresql.Insert | sqlite.Insert]:
    return postgresql.Insert if session.get_bind().dialect.name == "postgresql" else sqlite.Insert
