"""Events stored before identities began with their ids are known after the move, and after its undoing."""

import hashlib
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from webapp.core.events.drafts import key_hash
from webapp.lib import clock, schema
from webapp.lib.database import Database
from webapp.lib.ids import uuid7
from webapp.lib.plain_json import compact
from webapp.models import Event, Stream, User

#: of each stream: with what is escaped in JSON, longer than what is kept of it, and cut inside a character
_IDS = ["1", 'a"b\\c/\x7f\u2028', "x" * 200, "x" * 31 + "é", "日本"]
_PAGE = 1_000


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    schema.upgrade(opened)
    yield opened
    opened.close()


def test_stored_events_keep_their_identities_down_and_up(database: Database) -> None:
    ids = [*_IDS, *(f"e{at}" for at in range(_PAGE))]
    bodies = [compact({"id": id_, "source": "ci/é", "data": {}}) for id_ in ids]
    store(database, [key_hash("ci/é", id_) for id_ in ids], bodies, "deployment", "ci/é")
    store(database, [key_hash("otlp", hashlib.sha256(b"\n\0").hexdigest())], [b"\n\0"], "otlp.logs", "otlp")
    now = identities(database)
    schema.downgrade(database, "0011_deletion")
    before = identities(database)
    named = [compact(["ci/é", id_]) for id_ in ids] + [compact(["otlp", hashlib.sha256(b"\n\0").hexdigest()])]
    assert sorted(before) == sorted(hashlib.sha256(name).digest() for name in named)
    schema.upgrade(database)
    assert identities(database) == now


def store(database: Database, keys: list[bytes], bodies: list[bytes], type_: str, source: str) -> None:
    with database.write() as session:
        user = User(id=uuid7(), external_id=type_)
        session.add(user)
        session.flush()
        stream = Stream(user_id=user.id)
        session.add(stream)
        session.flush()
        now = clock.now()
        told = {"type": type_, "source": source, "time": now, "accepted_at": now, "stream_id": stream.id}
        session.add_all(
            Event(seq=at, key_hash=key, digest=hashlib.sha256(body).digest(), body=body, **told)
            for at, (key, body) in enumerate(zip(keys, bodies, strict=True), start=1)
        )


def identities(database: Database) -> list[bytes]:
    with database.read() as session:
        return list(session.scalars(select(Event.key_hash).order_by(Event.stream_id, Event.seq)))
