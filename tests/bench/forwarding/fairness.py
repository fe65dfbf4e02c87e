"""What others cost: neighbours whose vendor is in trouble, another user's million events, an outage.

Good users have a steady load, which must arrive as fast as it is sent, alone and beside each of these in
turns: whatever keeps them waiting shows, and nothing else that runs on the machine. What trouble costs a
process that is busy throughout shows in one row more: a backlog of the good users, sent as fast as it goes.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean

from tests.bench.forwarding import filling, flooding, stage
from tests.bench.forwarding.contestants import Ours, crowd
from tests.bench.forwarding.flooding import Flood
from tests.bench.forwarding.neighbours import TROUBLES, Mood, Neighbours
from tests.bench.forwarding.neighbours import Vendor as NeighboursVendor
from tests.bench.forwarding.services import Services
from tests.bench.forwarding.stage import Ground
from tests.bench.forwarding.steady import Steady
from tests.bench.forwarding.table import Row
from tests.bench.forwarding.table import seconds as in_seconds
from tests.waiting import wait_for

#: what waits for the good users together, for the flood, and what an outage leaves behind
_BACKLOG, _FLOOD, _LEFT = 160_000, 1_000_000, 40_000
_GOOD, _BAD = 4, 8
#: events a second of the good users, and events a request
_STEADY, _TOGETHER = 2_000, 50


def rows(
    folder: Path, services: Services | None, *, rounds: int, seconds: float, share: float
) -> Iterator[Row]:
    """Without `services` on SQLite alone."""
    how = partial(Ground, rounds=rounds, length=seconds, share=share)
    with ExitStack() as stack:
        vendor = stack.enter_context(closing(stage.Vendor(folder)))
        theirs = stack.enter_context(closing(NeighboursVendor()))
        with stage.embedded(folder, vendor, last9_url=theirs.url) as small:
            ground = how(base="SQLite, one process", stage=small, vendor=vendor)
            yield from _on(ground, theirs, lone=True)
            yield _recovery(ground)
        if services is not None:
            with stage.separate(folder, vendor, services, last9_url=theirs.url) as large:
                ground = how(base="PostgreSQL", stage=large, vendor=vendor)
                yield from _on(ground, theirs, lone=False)


def _on(ground: Ground, theirs: NeighboursVendor, *, lone: bool) -> Iterator[Row]:
    users = replace(crowd(ground.stage, ground.vendor, "bad", _BAD, stage.SINGLE), together=1)
    neighbours = Neighbours(users=users, vendor=theirs)
    good = crowd(ground.stage, ground.vendor, "good", _GOOD)
    flood = Flood(crowd(ground.stage, ground.vendor, "flood", 1))
    flood.fill(ground.part(_FLOOD))
    yield from _steadily(ground, good, neighbours, flood)
    if lone:
        yield flooding.lone(ground, good, flood)
    yield _at_full_speed(ground, neighbours)


def _steadily(ground: Ground, good: Ours, neighbours: Neighbours, flood: Flood) -> Iterator[Row]:
    pairs: dict[str, list[tuple[float, float]]] = {}

    def note(what: str) -> None:
        pairs.setdefault(what, []).append((_arriving(good, ground.length), alone))

    for _ in range(ground.rounds):
        with neighbours.being(Mood.WELL):
            alone = _arriving(good, ground.length)
        for mood in TROUBLES:
            with neighbours.being(mood):
                note(f"a {mood} neighbour")
        with neighbours.being(Mood.WELL), flood.delivering():
            note("another user's flood")
            assert flood.user.behind()
    for what, seen in pairs.items():
        name = f"others' delivery rate, {_STEADY:,}/s offered, beside {what} ({ground.base})"
        yield Row(name=name, must=0.9, aim=0.97, pairs=seen, unit="/s")


def _arriving(good: Ours, length: float) -> float:
    """Events a second that arrive of a steady load."""
    good.vendor.forget()
    load = Steady(where=good.stage, users=good.users, rate=_STEADY / _TOGETHER, events=_TOGETHER)
    count = load.send(length) * _TOGETHER
    wait_for(lambda: good.behind() == 0 and good.is_at_rest(), seconds=60)
    moments = [moment for moment, events in good.vendor.arrivals()["good"] for _ in range(events)]
    assert len(moments) == count
    # From middle to middle of its halves: the first and the last arrival alone may be early or late.
    middle = len(moments) // 2
    return middle / (fmean(moments[-middle:]) - fmean(moments[:middle]))


def _at_full_speed(ground: Ground, neighbours: Neighbours) -> Row:
    """Every trouble once, and no trouble before each."""
    busy, pairs = crowd(ground.stage, ground.vendor, "busy", _GOOD), []
    for destination_id in busy.destination_ids():
        filling.make_wait(ground.stage.runtime.database, destination_id, ground.part(_BACKLOG) // _GOOD)
    wait_for(lambda: busy.behind() == 0, seconds=120)
    for trouble in TROUBLES:
        seen = []
        for mood in (trouble, Mood.WELL):
            with neighbours.being(mood):
                seen.append(busy.deliver_again())
        pairs.append((seen[0], seen[1]))
    name = (
        "others' backlog at full speed beside a dead, a slow and a flapping neighbour, against a healthy one"
    )
    return Row(name=f"{name} ({ground.base})", must=0.9, aim=0.97, pairs=pairs, unit="/s")


def _recovery(ground: Ground) -> Row:
    some, vendor = crowd(ground.stage, ground.vendor, "some", _GOOD), ground.vendor
    count, pairs = ground.part(_LEFT), []
    for _ in range(ground.rounds):
        vendor.forget()
        vendor.say("down")
        some.accept(count)
        time.sleep(ground.length)  # the outage itself
        vendor.say("up")
        start = time.monotonic()
        wait_for(lambda: vendor.counts()["events"] >= count, seconds=60, pause=0.05)
        pairs.append((time.monotonic() - start, 1.0))
    name = f"from a vendor's recovery until {count:,} events are delivered ({ground.base})"
    return Row(name=name, must=10, aim=7, pairs=pairs, more=False, write=in_seconds)
