"""`python -m tests.bench.latency`: from the answer 202 to the arrival at the vendor, while idle."""

import http.client
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from tests import instances, seeding, servers, vendors
from tests.services import postgres, redis
from tests.waiting import wait_for
from webapp.sandbox import Sandbox, serve

EVENTS = 30
#: Between events, so that every one finds the instance idle.
_IDLE_SECONDS = 0.1
_ACCEPTED = 202


def embedded(folder: Path, events: int = EVENTS) -> list[float]:
    """Seconds for each event, on `hitchpost run` and SQLite."""
    url = f"sqlite:///{folder / 'hitchpost.db'}"
    with serve(port=0) as sandbox:
        return _measure(
            servers.Embedded(folder, url, **vendors.addresses(sandbox.urls)), sandbox, url, events
        )


def separate(folder: Path, database_url: str, broker_url: str, events: int = EVENTS) -> list[float]:
    """Seconds for each event, on the Procfile's processes, PostgreSQL and Redis."""
    with serve(port=0) as sandbox:
        instance = servers.Separate(folder, database_url, broker_url, **vendors.addresses(sandbox.urls))
        return _measure(instance, sandbox, database_url, events)


def _measure(instance: servers.Instance, sandbox: Sandbox, database_url: str, events: int) -> list[float]:
    with instances.running(database_url, **vendors.addresses(sandbox.urls)) as runtime:
        user = seeding.connect(runtime, sandbox.urls["console"], "u1").external_id
        key = seeding.api_key(runtime)
    instance.start()
    try:
        wait_for(lambda: servers.is_ready(instance.url), seconds=60)
        return [_one(instance.url, key, user, sandbox, number) for number in range(events + 1)][1:]
    finally:
        instance.stop()


def _one(url: str, key: str, user: str, sandbox: Sandbox, number: int) -> float:
    time.sleep(_IDLE_SECONDS)  # idle is what is measured
    arrivals = sandbox.world.desk.recorder
    sent = _accept(url, key, user)
    wait_for(lambda: len(arrivals.received("baselime")) > number, seconds=10, pause=0.001)
    return time.monotonic() - sent


def _accept(url: str, key: str, user: str) -> float:
    """Send one event; the moment of its 202."""
    event = {
        "user": user,
        "id": str(uuid4()),
        "source": "bench",
        "type": "tick",
        "time": "2026-01-31T12:00:00Z",
    }
    address = urlsplit(url)
    with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)) as connection:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        connection.request("POST", "/api/v1/events", json.dumps(event), headers)
        answer = connection.getresponse()
        moment = time.monotonic()
        body = answer.read()
    if answer.status != _ACCEPTED:
        raise AssertionError(f"{answer.status}: {body[:300]!r}")
    return moment


@contextmanager
def _services() -> Iterator[tuple[str, str]]:
    with ExitStack() as stack:
        cluster = stack.enter_context(closing(postgres.Cluster(postgres.find_programs()))).start()
        server = stack.enter_context(closing(redis.RedisServer(redis.find_program()))).start()
        yield cluster.url, server.url


def main() -> None:
    """Measure both and print medians and the slowest tenth."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second, _services() as urls:
        _tell("embedded, SQLite", embedded(Path(first)))
        _tell("web, worker, beat; PostgreSQL, Redis", separate(Path(second), *urls))


def _tell(name: str, seconds: list[float]) -> None:
    tenth = statistics.quantiles(seconds, n=10)[-1]
    sys.stdout.write(
        f"accept → delivered, idle, {name}: median {statistics.median(seconds) * 1000:.0f} ms, "
        f"nine of ten under {tenth * 1000:.0f} ms, {len(seconds)} events\n"
    )


if __name__ == "__main__":
    main()
