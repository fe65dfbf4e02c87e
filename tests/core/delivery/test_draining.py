"""A vendor that is slow or dead keeps at most its share of a process's turns."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from tests.forwarding import Yard
from webapp.core import delivery
from webapp.core.delivery import draining, hosts
from webapp.core.runtime import Runtime
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


def test_probes_of_hosts_that_are_down_leave_three_quarters_of_the_turns(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = [f"down-{number}.test" for number in range(3)]
    for host in (*down, "good.test", "fine.test"):
        made = yard.destination(who=host)
        yard.accept("a", user=host)
        changed = update(Destination).where(Destination.id == made)
        yard.change(changed.values(host=host, awaits_host=host in down))
    with yard.runtime.database.write() as session:
        for at, host in enumerate(down):
            row = Breaker(scope=hosts.SCOPE, key=host, failures=3)
            row.since, row.open_until = db_time(-90.0), db_time(at - 60.0)
            session.add(row)
    hosts.look_again(yard.runtime)
    stuck = Stuck()
    monkeypatch.setattr(draining, "take_turn", stuck.take_turn)
    with ThreadPoolExecutor(4) as workers:
        drains = [workers.submit(delivery.drain, yard.runtime, places=4) for _ in range(4)]
        for _ in range(3):
            assert stuck.began.acquire(timeout=30)
        # The probe is of the host that has waited for one longest.
        assert {str(host) for host in stuck.hosts} == {"down-0.test", "good.test", "fine.test"}
        assert not delivery.work_left(yard.runtime, places=4)
        stuck.go.set()
        assert sum(drain.result() for drain in drains) == 0
