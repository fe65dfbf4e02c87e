"""More than there is room for: a vendor that is down, a low cap, and senders who do not stop.

Whatever the cap has no room for is refused with 429 and when to come again, and costs no memory; whatever was
accepted arrives, each event once, when the vendor is back.
"""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

from tests.bench.forwarding import load, stage
from tests.bench.forwarding.contestants import Ours, crowd
from tests.bench.forwarding.machine import resident_bytes
from tests.bench.forwarding.services import Services
from tests.bench.forwarding.table import Row
from tests.waiting import wait_for

_USERS, _TOGETHER, _CONNECTIONS = 4, 100, 16
#: events that may wait for each user: full long before the first quarter is over
_CAP = 2_500
_LOOK_SECONDS = 0.1


def rows(folder: Path, services: Services | None, *, seconds: float) -> Iterator[Row]:
    """Without `services` on SQLite alone."""
    cap = str(_CAP)
    with closing(stage.Vendor(folder)) as vendor:
        with stage.embedded(folder, vendor, backlog_events=cap) as small:
            pid = small.instance.programs["all"].pid
            yield _flat("SQLite, one process", crowd(small, vendor, "many", _USERS), pid, seconds)
        if services is not None:
            with stage.separate(folder, vendor, services, backlog_events=cap) as large:
                pid = large.instance.programs["web"].pid
                yield _flat("PostgreSQL, web", crowd(large, vendor, "many", _USERS), pid, seconds)


def _flat(base: str, many: Ours, pid: int, seconds: float) -> Row:
    many.vendor.say("down")
    with _watching(pid) as held:
        seen = load.run(_flood(many, seconds))
    assert set(seen.statuses) == {"202", "429"}, seen
    assert seen.hasty == 0, seen
    assert seen.requests * _TOGETHER <= _USERS * _CAP, seen
    many.vendor.forget()
    many.vendor.say("up")
    wait_for(lambda: many.behind() == 0, seconds=60)
    assert many.vendor.counts()["events"] == seen.requests * _TOGETHER
    quarter = len(held) // 4
    pair = (max(held[2 * quarter :]) / 1e6, median(held[quarter : 2 * quarter]) / 1e6)
    name = f"memory under a flood that is refused: the most in its second half against before ({base})"
    return Row(name=name, must=1.1, aim=1.05, pairs=[pair], more=False, unit="MB")


def _flood(many: Ours, seconds: float) -> load.Load:
    return load.Load(
        url=f"{many.stage.instance.url}/api/v1/events",
        seconds=seconds,
        events=_TOGETHER,
        key=many.stage.key,
        users=" ".join(many.users),
        connections=_CONNECTIONS,
    )


@contextmanager
def _watching(pid: int) -> Iterator[list[int]]:
    """What the process holds in memory, again and again until the block ends."""
    held, over = [resident_bytes(pid)], threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            held.append(resident_bytes(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield held
    finally:
        over.set()
        thread.join()
