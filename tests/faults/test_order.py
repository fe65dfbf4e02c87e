"""Order: with many writers at once, no reader ever sees a seq before all that come before it."""

import itertools
import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, select, text

from tests.faults.race import a_race, draft, slow_and_unsteady
from tests.forwarding import Yard, opened_yard
from webapp.core.events import storing
from webapp.core.events.forms import Item
from webapp.core.events.native import read_native
from webapp.core.streams import rows
from webapp.models import Event, Stream

SECONDS = 1.5


@pytest.fixture
def yard(database_url: str) -> Iterator[Yard]:
    with opened_yard(database_url) as made:
        yield made


def test_no_cursor_reads_out_of_order_or_misses_an_event(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_and_unsteady(monkeypatch)
    race = a_race(yard)
    race.run(SECONDS)
    assert race.check() == []
    assert sum(map(len, race.read.values())) > 20


def test_without_the_streams_lock_the_same_race_goes_wrong(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_only(connection: Connection, stream_ids: Collection[UUID], **_: bool) -> dict[UUID, rows.Head]:
        query = select(Stream).where(Stream.id.in_(stream_ids))
        now = datetime.now(UTC)
        found = connection.execute(query)
        return {row.id: rows.Head(row.head_seq, row.tail_seq, None, now) for row in found}

    slow_and_unsteady(monkeypatch)
    monkeypatch.setattr(rows, "lock", look_only)
    with opened_yard(postgres_url) as yard:
        race = a_race(yard)
        race.run(1.0)
        assert race.check() != []


def test_with_seqs_from_a_counter_instead_of_the_lock_readers_miss_events(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters: dict[UUID, Iterator[int]] = defaultdict(lambda: itertools.count(0, 3))

    def count(_: Connection, stream_ids: Collection[UUID], **__: bool) -> dict[UUID, rows.Head]:
        now = datetime.now(UTC)
        return {stream_id: rows.Head(next(counters[stream_id]), 1, None, now) for stream_id in stream_ids}

    slow_and_unsteady(monkeypatch)
    monkeypatch.setattr(rows, "lock", count)
    with opened_yard(postgres_url) as yard:
        race = a_race(yard)
        race.run(1.0)
        assert any("gap" in fault or "were read" in fault for fault in race.check())


def test_a_request_that_waits_for_a_stream_sees_what_was_stored_meanwhile(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same event in two requests at the same moment: one stores it, the other finds it."""
    with opened_yard(postgres_url) as yard, ThreadPoolExecutor(2) as pool:
        yard.user()
        yard.accept("first")
        stream_id = a_stream(yard)
        same = storing.Batch([draft("same")], [stream_id])
        write, written = storing._Writer.write, threading.Event()

        def dawdle(self: Any, connection: Connection) -> bool:
            woken = write(self, connection)
            if not written.is_set():
                written.set()
                wait_until_somebody_waits_for_a_lock(yard)
            return woken

        monkeypatch.setattr(storing._Writer, "write", dawdle)
        one = pool.submit(storing.store, yard.runtime.database, [same])
        assert written.wait(10)
        other = pool.submit(storing.store, yard.runtime.database, [same])
        [first], [second] = one.result(10), other.result(10)
    assert (first.duplicates, second.duplicates) == (0, 1)
    assert first.places == second.places == [(stream_id, 2)]


def test_a_users_first_events_at_the_same_moment_make_one_stream(yard: Yard) -> None:
    yard.user()
    start = threading.Barrier(8)

    def first(number: int) -> tuple[str, ...]:
        start.wait(10)
        return yard.accept(f"event-{number}")

    with ThreadPoolExecutor(8) as pool:
        ids = [future.result(30)[0] for future in [pool.submit(first, number) for number in range(8)]]
    assert {public.split("-")[0] for public in ids} == {a_stream(yard).hex}
    assert sorted(int(public.split("-")[1]) for public in ids) == list(range(1, 9))


def test_streams_locked_in_any_order_of_events_make_no_deadlock(postgres_url: str) -> None:
    with opened_yard(postgres_url) as yard:
        for name in "abcd":
            yard.user(name)
            yard.accept("first", user=name)

        def write(number: int) -> int:
            chance = random.Random(number)
            for count in range(30):
                users = chance.sample("abcd", 4)
                items = [{"user": user, "id": f"{number}-{count}", "type": "t"} for user in users]
                drafts = [read_native(Item("", item), datetime.now(UTC)) for item in items]
                streams = [stream_of[user] for user in users]
                storing.store(yard.runtime.database, [storing.Batch(drafts, streams)])  # type: ignore[arg-type]  # all are drafts
            return 30

        stream_of = {name: UUID(yard.accept("first", user=name)[0].split("-")[0]) for name in "abcd"}
        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(write, range(6))) == 180


def a_stream(yard: Yard) -> UUID:
    with yard.runtime.database.read() as session:
        return session.scalars(select(Stream.id)).one()


def test_the_body_that_is_stored_is_the_body_that_is_sent(yard: Yard) -> None:
    yard.destination()
    yard.accept("a", data={"emoji": "🚀", "quote": '"', "number": 1.10})
    yard.drain()
    with yard.runtime.database.read() as session:
        body = session.scalars(select(Event.body)).one()
    assert yard.inbox.taken[0][1] == json.loads(body)


def test_an_event_whose_commit_is_slow_wakes_a_destination_that_goes_idle_meanwhile(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The destination is leased when the event is written, so nobody makes it due; going idle must wait."""
    with opened_yard(postgres_url) as yard, ThreadPoolExecutor(2) as pool:
        yard.destination()
        yard.accept("a")
        sending, written, commit = threading.Event(), threading.Event(), threading.Event()
        write = storing._Writer.write

        def dawdle(self: Any, connection: Connection) -> bool:
            woken = write(self, connection)
            written.set()
            assert commit.wait(10)
            return woken

        def answer_late() -> None:
            sending.set()
            assert written.wait(10)

        monkeypatch.setattr(storing._Writer, "write", dawdle)
        yard.inbox.during = answer_late
        draining = pool.submit(yard.drain)
        assert sending.wait(10)
        accepting = pool.submit(yard.accept, "b")
        assert written.wait(10)
        wait_until_somebody_waits_for_a_lock(yard)
        commit.set()
        accepting.result(10)
        draining.result(10)
        yard.drain()
        assert yard.inbox.ids == ["a", "b"]


def wait_until_somebody_waits_for_a_lock(yard: Yard) -> None:
    """Or goes on without waiting, after a second: then the test has something to find."""
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        with yard.runtime.database.read() as session:
            if session.scalar(waiting):
                return
