"""Retention beside everything that reads a stream or goes back in it: what is still to be sent stays."""

import itertools
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.forwarding import ACTOR, SINGLE, Yard, postgres_yard_url, sqlite_yard_url, yard
from webapp.core import connections, delivery, destinations, retention
from webapp.errors import Conflict, Invalid, Overloaded
from webapp.models import Destination, Hold, Stream

__all__ = ["postgres_yard_url", "sqlite_yard_url", "yard"]

SECONDS, MOST_SECONDS = 1.0, 30.0


class Race:
    """Senders, drains, holds, rewinds, late destinations and disconnects, with retention among them."""

    def __init__(self, yard: Yard) -> None:
        self.yard = yard
        self.chance = random.Random(5)
        self.over = threading.Event()
        self.sent = self.rewound = 0
        self.names = itertools.count()
        self.user_id = yard.user()
        #: by ingest key, which tells in the inbox whose an event was
        self.readers: dict[str, UUID] = {}
        self.add(SINGLE.name)
        self.add()

    def add(self, kind: str = "baselime.events", *, backfill: bool = False) -> None:
        key = f"key-{next(self.names)}"
        environment_id = self.yard.environment(self.user_id, key, key)
        self.readers[key] = self.yard.forward(environment_id, kind, backfill=backfill)

    def run(self) -> None:
        acts = (self.send, self.drain, self.drain, self.trim, self.pause, self.rewind, self.join, self.leave)
        with ThreadPoolExecutor(len(acts)) as pool:
            walks = [pool.submit(self.again, act) for act in acts]
            end, latest = time.monotonic() + SECONDS, time.monotonic() + MOST_SECONDS
            while time.monotonic() < latest and not (self.has_raced() and time.monotonic() > end):
                time.sleep(0.05)
            self.over.set()
            for walk in walks:
                walk.result(60)
        for destination_id in self.readers.values():
            self.release(destination_id)
        self.yard.drain(hastened=2)

    def has_raced(self) -> bool:
        """Whether retention deleted something while others went back and joined."""
        return self.tail() > 1 and self.rewound > 0 and len(self.readers) > 2

    def tail(self) -> int:
        with self.yard.runtime.database.read() as session:
            return session.scalars(select(Stream.tail_seq)).one()

    def again(self, act: Callable[[], object]) -> None:
        while not self.over.is_set():
            act()

    def send(self) -> None:
        with suppress(Overloaded):  # nothing was stored: the same again
            self.yard.accept(*(f"e{self.sent + at + 1}" for at in range(20)))
            self.sent += 20
        self.over.wait(0.01)

    def drain(self) -> None:
        if not delivery.drain(self.yard.runtime, seconds=0.05):
            time.sleep(0.002)

    def trim(self) -> None:
        retention.sweep(self.yard.runtime)

    def pause(self) -> None:
        destination_id = self.anyone()
        with suppress(Conflict), self.yard.runtime.database.write() as session:
            destinations.hold(session, destination_id, Hold.PAUSED, "x")
        self.over.wait(0.05)
        self.release(destination_id)

    def release(self, destination_id: UUID) -> None:
        with suppress(Conflict), self.yard.runtime.database.write() as session:
            destinations.release(session, ACTOR, destination_id)

    def rewind(self) -> None:
        destination_id = self.anyone()
        with suppress(Invalid, Conflict), self.yard.runtime.database.write() as session:
            first = session.scalars(select(Stream.tail_seq)).one() + self.chance.randrange(20)
            self.rewound += destinations.rewind(session, ACTOR, destination_id, to_seq=first)
        self.over.wait(0.01)

    def join(self) -> None:
        self.over.wait(0.2)
        self.add(backfill=True)

    def leave(self) -> None:
        """Somebody disconnects: a closed destination keeps nothing back, and the others lose nothing."""
        self.over.wait(0.5)
        destination_id = self.readers.pop("key-1", None)
        if destination_id is not None:
            connections.disconnect(self.yard.runtime, ACTOR, self.yard.connection(destination_id).id)

    def anyone(self) -> UUID:
        return self.chance.choice([*self.readers.values()])


@pytest.fixture
def race(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Race:
    """Everything is old the moment it is accepted, so that only what still waits keeps an event."""
    monkeypatch.setattr(retention, "KEPT", timedelta(0))
    return Race(yard)


def test_nothing_unsettled_is_ever_deleted(race: Race) -> None:
    race.run()
    yard = race.yard
    yard.assert_ledgers_are_exact()
    for key, destination_id in race.readers.items():
        row = yard.row(destination_id)
        wanted = {f"e{seq}" for seq in range(row.origin_seq + 1, race.sent + 1)}
        assert {event["id"] for taken_by, event in yard.inbox.taken if taken_by == key} == wanted
        assert (row.hold, row.cursor_seq) == (None, race.sent)
    assert race.has_raced()
    with yard.runtime.database.read() as session:
        assert set(session.scalars(select(Destination.expired))) == {0}
