"""Another user's flood: a million events that wait, and are delivered when it is told to be."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

from tests.bench.forwarding import filling
from tests.bench.forwarding.contestants import Ours
from tests.bench.forwarding.stage import Ground
from tests.bench.forwarding.table import Row, times
from tests.waiting import wait_for

_LONE = 100


@dataclass(frozen=True, slots=True)
class Flood:
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
        wait_for(lambda: "flood" in self.user.vendor.arrivals(), seconds=30)
        yield
        self.user.hold(holding=True)
        wait_for(self.user.is_at_rest, seconds=30)
        self.user.rewind()


def lone(ground: Ground, calm: Ours, flood: Flood) -> Row:
    """Events one by one, to an instance that is idle and to one that is flooded."""
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
            time.sleep(0.1)  # alone: the one before has arrived
    wait_for(lambda: sent.keys() <= calm.vendor.counts()["lone"].keys(), seconds=60)
    seen = calm.vendor.counts()["lone"]
    return [(seen[own_id] - moment) * 1000 for own_id, moment in sent.items()]


def _slowest(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99) - 1]
