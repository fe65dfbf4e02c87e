"""Rings do not pile up, no ring is forgotten, and what is left is rung for again."""

import threading
from collections.abc import Iterator

import pytest

from tests.waiting import wait_for
from webapp.core import delivery as core
from webapp.core.runtime import Bell
from workers import delivery, parts


class Bench:
    """Stands in for the runtime and for the core's drain: counts, and can be held up."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.may_end.set()
        self.drains = 0
        self.at_once = 0
        self.most_at_once = 0
        self.rings: list[Bell] = []
        self.left = False
        self._lock = threading.Lock()

    def wake(self, bell: Bell) -> None:
        self.rings.append(bell)

    def drain(self, _runtime: object, *, seconds: float, places: int) -> int:
        assert places == delivery.PLACES
        with self._lock:
            self.drains += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.may_end.wait(5)
        with self._lock:
            self.at_once -= 1
        return 0


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench()
    monkeypatch.setattr(core, "drain", bench.drain)
    monkeypatch.setattr(core, "work_left", lambda _runtime, **_: bench.left)
    monkeypatch.setattr(parts, "runtime", lambda: bench)
    yield bench
    bench.may_end.set()


def test_a_ring_drains_once_and_rings_for_nobody_else(bench: Bench) -> None:
    delivery.drain()
    assert (bench.drains, bench.rings) == (1, [])


def test_what_is_left_is_rung_for_again(bench: Bench) -> None:
    bench.left = True
    delivery.drain()
    assert bench.rings == [Bell.DELIVERY]


def test_more_rings_than_places_leave_a_note_that_is_answered(bench: Bench) -> None:
    bench.may_end.clear()
    drains = [threading.Thread(target=delivery.drain) for _ in range(delivery.DRAINS)]
    for drain in drains:
        drain.start()
    wait_for(lambda: bench.at_once == delivery.DRAINS)
    for _ in range(100):
        delivery.drain()
    assert bench.drains == delivery.DRAINS
    bench.may_end.set()
    for drain in drains:
        drain.join(5)
    assert bench.most_at_once == delivery.DRAINS
    assert Bell.DELIVERY in bench.rings


def test_a_drain_that_fails_gives_its_place_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_runtime: object, **_: object) -> int:
        raise OSError

    monkeypatch.setattr(core, "drain", fail)
    for _ in range(3 * delivery.DRAINS):
        with pytest.raises(OSError):  # noqa: PT011 - any
            delivery.drain()
    monkeypatch.setattr(core, "drain", bench.drain)
    delivery.drain()
    assert bench.drains == 1
