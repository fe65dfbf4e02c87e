"""What others cost: neighbours whose vendor hangs or is gone, a million events ahead, an outage."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from tests import seeding
from tests.bench.forwarding import filling, stage
from tests.bench.forwarding.contestants import Ours
from tests.bench.forwarding.table import Row, seconds, times
from tests.services import processes
from tests.waiting import wait_for
from webapp.core import destinations
from webapp.core.audit import HITCHPOST
from webapp.models import Hold

_EVENTS, _MANY, _LONE = 40_000, 1_000_000, 100
#: the eight neighbours of everybody, each with so many events
_NEIGHBOURS, _THEIRS = 8, 100
_DOWN_SECONDS = 4.0


def rows(folder: Path, *, rounds: int, share: float) -> Iterator[Row]:
    """On SQLite in one process, which has the fewest places to give."""
    with closing(stage.Vendor(folder)) as vendor:
        for name, hole in (("dead", _closed), ("slow", _silent)):
            with hole() as url, _yard(folder / name, vendor, last9_url=url) as ours:
                yield _beside(name, vendor, ours, rounds, share)
        with _yard(folder / "many", vendor) as ours:
            yield _recovery(vendor, ours, rounds, share)
            yield _lone(vendor, ours, share)


@contextmanager
def _yard(folder: Path, vendor: stage.Vendor, **more: str) -> Iterator[stage.Stage]:
    folder.mkdir()
    with stage.embedded(folder, vendor, **more) as ours:
        yield ours


@contextmanager
def _closed() -> Iterator[str]:
    """Where nobody listens."""
    yield f"http://127.0.0.1:{processes.free_port()}"


@contextmanager
def _silent() -> Iterator[str]:
    """Where calls are taken and never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _beside(name: str, vendor: stage.Vendor, ours: stage.Stage, rounds: int, share: float) -> Row:
    good = Ours(ours, vendor, _people(ours, "good", 4))
    bad = Ours(ours, vendor, _people(ours, "bad", _NEIGHBOURS, stage.SINGLE))
    count, pairs = int(_EVENTS * share) // 400 * 400, []
    for _ in range(rounds):
        bad.hold(holding=True)
        alone = good.deliver(count).rate
        bad.accept(_NEIGHBOURS * _THEIRS)
        bad.hold(holding=False)
        pairs.append((good.deliver(count).rate, alone))
    return Row(
        name=f"others' delivery rate beside a {name} neighbour (SQLite)",
        must=0.9,
        aim=0.97,
        pairs=pairs,
        unit="/s",
    )


def _recovery(vendor: stage.Vendor, ours: stage.Stage, rounds: int, share: float) -> Row:
    some = Ours(ours, vendor, _people(ours, "some", 4))
    count, pairs = int(_EVENTS * share) // 400 * 400, []
    for _ in range(rounds):
        vendor.forget()
        vendor.say("down")
        some.accept(count)
        time.sleep(_DOWN_SECONDS)
        vendor.say("up")
        start = time.monotonic()
        wait_for(lambda: vendor.counts()["events"] >= count, seconds=60, pause=0.05)
        pairs.append((time.monotonic() - start, 1.0))
    name = f"from a vendor's recovery until {count:,} events are delivered (SQLite)"
    return Row(name=name, must=10, aim=7, pairs=pairs, more=False, write=seconds)


def _lone(vendor: stage.Vendor, ours: stage.Stage, share: float) -> Row:
    lone = _people(ours, "lone", 1)[0]
    flood = seeding.attach(ours.runtime, "flood", "w-flood", "key-flood")
    with ours.runtime.database.write() as session:
        destinations.hold(session, flood.destination_id, Hold.PAUSED, "")
    filling.make_wait(ours.runtime.database, flood.destination_id, int(_MANY * share))
    count = max(10, int(_LONE * share))
    _arrivals(vendor, ours, lone, 5)
    idle = _arrivals(vendor, ours, lone, count)
    with ours.runtime.database.write() as session:
        destinations.release(session, HITCHPOST, flood.destination_id)
    vendor.forget()
    wait_for(lambda: vendor.counts()["events"] > 0, seconds=30)
    busy = _arrivals(vendor, ours, lone, count)
    return Row(
        name="a lone event behind another user's million: p99 from sent to arrived, against idle (SQLite)",
        must=2,
        aim=1.2,
        pairs=[(_slowest(busy), _slowest(idle))],
        more=False,
        unit="ms",
        write=times,
    )


def _arrivals(vendor: stage.Vendor, ours: stage.Stage, user: str, count: int) -> list[float]:
    """Milliseconds from the sending of each of some events, one after the other, to its arrival."""
    address, sent = urlsplit(ours.instance.url), {}
    with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)) as connection:
        for _ in range(count):
            own_id = f"lone-{uuid4().int % 10**12}"
            event = {"user": user, "id": own_id, "type": "tick"}
            headers = {"authorization": f"Bearer {ours.key}", "content-type": "application/json"}
            sent[own_id] = time.monotonic()
            connection.request("POST", "/api/v1/events", json.dumps(event), headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 202
            time.sleep(0.1)
    wait_for(lambda: sent.keys() <= vendor.counts()["lone"].keys(), seconds=60)
    seen = vendor.counts()["lone"]
    return [(seen[own_id] - moment) * 1000 for own_id, moment in sent.items()]


def _slowest(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99) - 1]


def _people(ours: stage.Stage, name: str, count: int, kind: str = seeding.KIND) -> list[str]:
    names = [f"{name}-{at}" for at in range(count)]
    for one in names:
        seeding.attach(ours.runtime, one, f"w-{one}", f"key-{one}", kind)
    return names
