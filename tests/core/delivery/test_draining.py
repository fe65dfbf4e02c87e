"""A vendor that is slow or dead, and a user's flood, keep at most their share of a process's turns."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from tests.forwarding import Yard
from tests.waiting import wait_for
from webapp.core import delivery
from webapp.core.delivery import draining, hosts, lanes
from webapp.core.runtime import Bell, Runtime
from webapp.core.streams.leases import Lease
from webapp.lib.database import db_time
from webapp.models import Breaker, Destination


class Stuck:
    """Turns that do not end until they are let go."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.hosts: list[str | None] = []
        self.began = threading.Semaphore(0)
        self.go = threading.Event()

    def take_turn(self, _runtime: Runtime, lease: Lease) -> int:
        self.kinds.append(lease.kind)
        self.hosts.append(lease.host)
        self.began.release()
        assert self.go.wait(30)
        return 0


def test_half_of_the_turns_stay_free_for_other_vendors(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        yard.destination(who=f"slow-{number}")
        yard.accept("a", user=f"slow-{number}")
    other = yard.destination(who="other")
    yard.accept("a", user="other")
    yard.change(update(Destination).where(Destination.id == other).values(kind="librato.annotations"))
    stuck = Stuck()
    monkeypatch.setattr(draining, "take_turn", stuck.take_turn)
    with ThreadPoolExecutor(4) as workers:
        drains = [workers.submit(delivery.drain, yard.runtime, places=4) for _ in range(4)]
        for _ in range(3):
            assert stuck.began.acquire(timeout=30)
        assert sorted(stuck.kinds) == ["baselime.events", "baselime.events", "librato.annotations"]
        assert not delivery.work_left(yard.runtime, places=4)
        assert delivery.work_left(yard.runtime)
        stuck.go.set()
        assert [drain.result() for drain in drains] == [0, 0, 0, 0]


def test_whoever_comes_behind_a_flood_has_the_next_turn(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("flood", "lone"):
        yard.destination(who=who)
    yard.accept(*(f"flood-{number}" for number in range(60)), user="flood")
    yard.accept("lone", user="lone")
    turns: list[int] = []
    take_turn = draining.take_turn

    def noted(runtime: Runtime, lease: Lease) -> int:
        turns.append(asked := take_turn(runtime, lease))
        return asked

    monkeypatch.setattr(draining, "take_turn", noted)
    monkeypatch.setattr("webapp.core.delivery.holding.TURN_BATCHES", 2)
    yard.change(update(Destination).values(batch_limit=1))
    yard.drain()
    # Whoever waited behind the flood had the second turn, after two requests.
    assert yard.inbox.requests[2] == ["lone"]
    assert max(turns) == 2


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stuck]:
    stuck = Stuck()
    monkeypatch.setattr(draining, "take_turn", stuck.take_turn)
    yield stuck
    stuck.go.set()


@contextmanager
def draining_with(yard: Yard, stuck: Stuck, *, turns: int) -> Iterator[None]:
    """Eight drains of a process of four places; so many of their turns begin."""
    with ThreadPoolExecutor(8) as workers:
        drains = [workers.submit(delivery.drain, yard.runtime, places=4) for _ in range(8)]
        for _ in range(turns):
            assert stuck.began.acquire(timeout=30)
        wait_for(lambda: sum(drain.done() for drain in drains) == 8 - turns)
        try:
            yield
        finally:
            stuck.go.set()
        assert sum(drain.result() for drain in drains) == 0


def known(yard: Yard, host: str, **more: Any) -> UUID:
    """A destination at that host, with an event that waits for it."""
    made = yard.destination(who=host)
    yard.accept("a", user=host)
    yard.change(update(Destination).where(Destination.id == made).values(host=host, **more))
    return made


def test_probes_of_hosts_that_are_down_take_no_place_from_others(yard: Yard, stuck: Stuck) -> None:
    down = [f"down-{number}.test" for number in range(3)]
    for host in down:
        known(yard, host, awaits_host=True)
    for number in range(4):
        known(yard, f"good-{number}.test")
    with yard.runtime.database.write() as session:
        for at, host in enumerate(down):
            row = Breaker(scope=hosts.SCOPE, key=host, failures=3)
            row.since, row.open_until = db_time(-90.0), db_time(at - 60.0)
            session.add(row)
    hosts.look_again(yard.runtime)
    with draining_with(yard, stuck, turns=6):
        # Two probes, of the hosts that have waited for one longest, beside all of the four places.
        assert sorted(map(str, stuck.hosts)) == [*down[:2], *(f"good-{number}.test" for number in range(4))]
        assert not delivery.work_left(yard.runtime, places=4)


def test_slow_destinations_take_no_place_from_others(yard: Yard, stuck: Stuck) -> None:
    for number in range(3):
        known(yard, f"slow-{number}.test", slow=True)
    for number in range(5):
        known(yard, f"good-{number}.test")
    with draining_with(yard, stuck, turns=6):
        assert [str(host)[:4] for host in sorted(map(str, stuck.hosts))] == ["good"] * 4 + ["slow"] * 2
        assert not delivery.work_left(yard.runtime, places=4)


def test_a_turn_that_waits_for_long_gives_its_place_to_others_but_not_to_its_host(
    yard: Yard, stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        silent = known(yard, f"silent-{number}")
        yard.change(update(Destination).where(Destination.id == silent).values(host="silent.test"))
    for number in range(3):
        known(yard, f"good-{number}.test")
    with draining_with(yard, stuck, turns=4):
        assert sorted(map(str, stuck.hosts)) == ["good-0.test", "good-1.test", "silent.test", "silent.test"]
        assert not delivery.work_left(yard.runtime, places=4)
        monkeypatch.setattr(lanes, "_LONG_SECONDS", 0.0)
        assert delivery.work_left(yard.runtime, places=4)
        with ThreadPoolExecutor(1) as another:
            late = another.submit(delivery.drain, yard.runtime, places=4)
            assert stuck.began.acquire(timeout=30)
            assert stuck.hosts[-1] == "good-2.test"
            stuck.go.set()
            assert late.result() == 0


def test_one_user_has_at_most_a_quarter_of_the_turns(yard: Yard, stuck: Stuck) -> None:
    flood = yard.user("flood")
    for number in range(3):
        made = yard.forward(yard.environment(flood, f"env-{number}"))
        yard.change(update(Destination).where(Destination.id == made).values(host=f"flood-{number}.test"))
    yard.accept("a", user="flood")
    known(yard, "lone.test")
    with draining_with(yard, stuck, turns=2):
        assert sorted(map(str, stuck.hosts))[1:] == ["lone.test"]
        assert not delivery.work_left(yard.runtime, places=4)
        assert delivery.work_left(yard.runtime)


def test_whoever_begins_a_turn_rings_if_others_are_due(yard: Yard, stuck: Stuck) -> None:
    known(yard, "first.test")
    known(yard, "second.test")
    yard.rung.clear()
    with ThreadPoolExecutor(2) as workers:
        first = workers.submit(delivery.drain, yard.runtime, places=4)
        assert stuck.began.acquire(timeout=30)
        assert yard.rung == [Bell.DELIVERY]
        second = workers.submit(delivery.drain, yard.runtime, places=4)
        assert stuck.began.acquire(timeout=30)
        assert yard.rung == [Bell.DELIVERY], "nobody else is due"
        stuck.go.set()
        assert first.result() + second.result() == 0
