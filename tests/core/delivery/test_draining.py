"""A vendor that is slow or dead keeps at most its share of a process's turns."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from tests.forwarding import Yard
from webapp.core import delivery
from webapp.core.delivery import draining
from webapp.core.runtime import Runtime
from webapp.core.streams.leases import Lease
from webapp.models import Destination


class Stuck:
    """Turns that do not end until they are let go."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.began = threading.Semaphore(0)
        self.go = threading.Event()

    def take_turn(self, _runtime: Runtime, lease: Lease) -> int:
        self.kinds.append(lease.kind)
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
