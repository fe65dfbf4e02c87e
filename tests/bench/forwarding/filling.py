"""Backlogs and crowds, made by the database itself: events that wait, destinations that stand by."""

import json
import time
from uuid import UUID

from sqlalchemy import bindparam, insert, select, text, update
from sqlalchemy.orm import Session

from tests.bench.forwarding.contestants import ENVELOPE
from webapp.core.events.statements import INSERT_ARRAYS, Growth, NewEvent, as_columns, insert_rows
from webapp.core.streams import rows
from webapp.lib import clock
from webapp.lib.database import Database
from webapp.lib.ids import uuid7
from webapp.models import Destination, Environment, Event, Stream, User

_COLUMNS = "stream_id, seq, key_hash, digest, type, source, subject, time, accepted_at, body"
_SAME = "'deployment', 'shop', 'checkout', :at, :at, :body"
_SQLITE_NUMBERS = (
    "WITH RECURSIVE numbers (n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)"
)
_INTO = f"INSERT INTO events ({_COLUMNS}) SELECT :stream, n"
_ON_SQLITE = f"{_SQLITE_NUMBERS} {_INTO}, randomblob(32), randomblob(32), {_SAME} FROM numbers"
_POSTGRES_NUMBERS = "generate_series(CAST(:first AS integer), CAST(:last AS integer)) n"
_ON_POSTGRES = f"{_INTO}, sha256(n::text::bytea), sha256(n::text::bytea), {_SAME} FROM {_POSTGRES_NUMBERS}"
_BODY = json.dumps(ENVELOPE).encode()
#: events of one transaction: an instance that runs beside must be able to write now and then
_AT_ONCE = 50_000


def make_wait(database: Database, destination_id: UUID, count: int) -> None:
    """Let so many events wait for a destination whose stream is empty so far."""
    for first in range(1, count + 1, _AT_ONCE):
        with database.write() as session:
            destination = session.get_one(Destination, destination_id)
            last = min(first + _AT_ONCE - 1, count)
            _insert(session, destination.stream_id, first, last)
            stream = update(Stream).where(Stream.id == destination.stream_id)
            session.execute(stream.values(head_seq=last, last_accepted_at=clock.now()))
            if destination.hold is None:
                destination.due_at = clock.now()


def let_stand_by(database: Database, destination_id: UUID, count: int) -> None:
    """So many destinations beside this one, of other environments, for which nothing waits."""
    with database.write() as session:
        like = session.get_one(Destination, destination_id)
        account_id = session.scalars(
            select(Environment.account_id).where(Environment.id == like.environment_id)
        ).one()
        made = [{"id": uuid7(), "account_id": account_id, "vendor_key": f"idle-{at}"} for at in range(count)]
        session.execute(insert(Environment), made)
        crowd = [
            {"environment_id": one["id"], "stream_id": like.stream_id, "kind": like.kind} for one in made
        ]
        session.execute(insert(Destination), [row | {"cursor_seq": 0, "origin_seq": 0} for row in crowd])
    _count_anew(database)


def bulk_rate(database: Database, seconds: float) -> float:
    """Events a second that this database takes from one bare writer: 100 a commit, nothing looked up."""
    with database.write() as session:
        user = User(id=uuid7(), external_id=f"bulk-{uuid7()}")
        session.add(user)
        session.flush()
        stream_id = rows.ensure(session, user.id)
    start, count = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        with database.write() as session:
            events = [_event(count + at + 1) for at in range(100)]
            grown = [Growth(stream_id, clock.now(), events)]
            if database.is_sqlite:
                insert_rows(session.connection(), grown)
            else:
                session.connection().exec_driver_sql(INSERT_ARRAYS, as_columns(grown))
        count += 100
    return count / (time.monotonic() - start)


def _event(seq: int) -> NewEvent:
    mark = seq.to_bytes(32)
    return NewEvent(
        seq=seq,
        key_hash=mark,
        digest=mark,
        type="deployment",
        source="shop",
        subject="checkout",
        state=None,
        time=clock.now(),
        body=_BODY,
        bytes_in=seq * len(_BODY),
    )


def _insert(session: Session, stream_id: UUID, first: int, last: int) -> None:
    connection = session.connection()
    sqlite = connection.dialect.name == "sqlite"
    values = {"stream": Event.stream_id.type, "at": Event.time.type, "body": Event.body.type}
    given = {"stream": stream_id, "at": clock.now(), "body": _BODY}
    statement = text(_ON_SQLITE if sqlite else _ON_POSTGRES)
    typed = statement.bindparams(*(bindparam(name, type_=type_) for name, type_ in values.items()))
    connection.execute(typed, given | {"first": first, "last": last})


def _count_anew(database: Database) -> None:
    """As PostgreSQL does by itself within a minute."""
    with database.write() as session:
        session.execute(text("ANALYZE"))
