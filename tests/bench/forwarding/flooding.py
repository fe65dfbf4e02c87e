"""Beside another user's flood: a million events that wait and are delivered meanwhile.

Whoever delivers may use all there is while nobody else needs it, so good users are to keep what they have: a
steady load far below what fits, all of it delivered as it comes; and a lone event is to come through as fast.
"""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

from tests.bench.forwarding import filling
from tests.bench.forwarding.contestants import Ours, crowd, rate
from tests.bench.forwarding.stage import Ground
from tests.bench.forwarding.steady import Steady
from tests.bench.forwarding.table import Row, times
from tests.waiting import wait_for

_FLOOD, _LONE = 1_000_000, 100
#: events a second of the good users, and events a request
_STEADY, _TOGETHER = 1_000, 20
_CALM = 4


def rows(ground: Ground, *, lone: bool) -> Iterator[Row]:
    """The steady load, and with `lone` events one by one."""
    flood = _Flood(crowd(ground.stage, ground.vendor, "flood", 1))
    flood.fill(ground.part(_FLOOD))
    calm, pairs = crowd(ground.stage, ground.vendor, "calm", _CALM), []
    for _ in range(ground.rounds):
        alone = _steadily(calm, ground.length)
        with flood.delivering():
            pairs.append((_steadily(calm, ground.length), alone))
    name = f"others' delivery rate, {_STEADY:,}/s offered, beside another user's flood ({ground.base})"
    yield Row(name=name, must=0.9, aim=0.97, pairs=pairs, unit="/s")
    if lone:
        yield _lone(ground, calm, flood)


@dataclass(frozen=True, slots=True)
class _Flood:
    """One user, who is held but for `delivering`."""

    user: Ours

    def fill(self, count: int) -> None:
        """Let so many events wait."""
        self.user.hold(holding=True)
        for destination_id in self.user.destination_ids():
            filling.make_wait(self.user.stage.runtime.database, destination_id, count)

    @contextmanager
    def delivering(self) -> Iterator[None]:
        """Whatever happens here happens while it is delivered, from the first event on."""
        self.user.vendor.forget()
        self.user.hold(holding=False)
        wait_for(lambda: "flood" in self.user.vendor.counts()["groups"], seconds=30)
        yield
        self.user.hold(holding=True)
        wait_for(self.user.is_at_rest, seconds=30)
        self.user.rewind()


def _steadily(calm: Ours, length: float) -> float:
    """Events a second that arrive of a steady load."""
    calm.vendor.forget()
    load = Steady(where=calm.stage, users=calm.users, rate=_STEADY / _TOGETHER, events=_TOGETHER)
    count = load.send(length) * _TOGETHER
    wait_for(lambda: calm.behind() == 0 and calm.is_at_rest(), seconds=60)
    return rate(calm.vendor.counts()["groups"]["calm"], count)


def _lone(ground: Ground, calm: Ours, flood: _Flood) -> Row:
    count = max(10, int(_LONE * ground.share))
    _arrivals(calm, 5)
    idle = _arrivals(calm, count)
    with flood.delivering():
        busy = _arrivals(calm, count)
    what = "a lone event behind another user's million: p99 from sent to arrived, against idle"
    return Row(
        name=f"{what} ({ground.base})",
        must=2,
        aim=1.2,
        pairs=[(_slowest(busy), _slowest(idle))],
        more=False,
        unit="ms",
        write=times,
    )


def _arrivals(calm: Ours, count: int) -> list[float]:
    """Milliseconds from the sending of each of some events, one after the other, to its arrival."""
    address, sent = urlsplit(calm.stage.instance.url), {}
    with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)) as connection:
        for _ in range(count):
            own_id = f"lone-{uuid4().int % 10**12}"
            event = {"user": calm.users[0], "id": own_id, "type": "tick"}
            headers = {"authorization": f"Bearer {calm.stage.key}", "content-type": "application/json"}
            sent[own_id] = time.monotonic()
            connection.request("POST", "/api/v1/events", json.dumps(event), headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 202
            time.sleep(0.1)
    wait_for(lambda: sent.keys() <= calm.vendor.counts()["lone"].keys(), seconds=60)
    seen = calm.vendor.counts()["lone"]
    return [(seen[own_id] - moment) * 1000 for own_id, moment in sent.items()]


def _slowest(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99) - 1]
