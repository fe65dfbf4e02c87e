"""Where a row is played: the sink, a web server beside ours, and instances of ours with people in them."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests import instances, seeding, servers
from tests.bench.forwarding.services import Services
from tests.services import processes
from tests.waiting import wait_for
from webapp.core.runtime import Runtime

THREADS = 16
SINGLE = "last9.change_events"


class Vendor:
    """The sink, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        port = processes.free_port()
        self.url = f"http://127.0.0.1:{port}"
        argv = [sys.executable, "-m", "tests.bench.forwarding.sink", str(port)]
        self.process = processes.start(argv, log=folder / "sink.log")
        wait_for(lambda: servers.is_taken(port), seconds=20)

    def close(self) -> None:
        """End it."""
        processes.end(self.process)

    def counts(self) -> dict[str, Any]:
        """What it took so far."""
        return self._ask("/")

    def arrivals(self) -> dict[str, list[tuple[float, int]]]:
        """When how many events came, by the name in their users' keys."""
        return self._ask("/arrivals")

    def _ask(self, path: str) -> dict[str, Any]:
        with urlopen(self.url + path, timeout=10) as answer:  # noqa: S310 - our own process on loopback
            told: dict[str, Any] = json.load(answer)
        return told

    def say(self, word: str) -> None:
        """`up` or `down`."""
        request = Request(f"{self.url}/say", data=word.encode(), method="PUT")  # noqa: S310 - likewise
        urlopen(request, timeout=10).close()  # noqa: S310 - likewise

    def forget(self) -> None:
        """Count from nothing."""
        self.say("anew")

    def settings(self) -> dict[str, str]:
        """Settings that send everything here."""
        return {"baselime_events_url": self.url, "last9_url": self.url}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """An instance that runs, and a Runtime on its database to look at it and to prepare it."""

    instance: servers.Instance
    runtime: Runtime
    key: str
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A stage with its vendor, and how much is played there."""

    #: as rows call it
    base: str
    stage: Stage
    vendor: Vendor
    rounds: int
    #: of a steady load or an outage, in seconds
    length: float
    #: of the backlogs
    share: float

    def part(self, count: int) -> int:
        """That share of a backlog: hundreds for each of four users."""
        return max(400, int(count * self.share) // 400 * 400)


@contextmanager
def embedded(folder: Path, vendor: Vendor, **more: str) -> Iterator[Stage]:
    """`hitchpost run` on SQLite; `more` by lower-case setting."""
    url = f"sqlite:///{folder / 'hitchpost.db'}"
    settings = vendor.settings() | more
    instance = servers.Embedded(folder, url, **settings)
    with _running(instance, url, **settings) as (runtime, key):
        yield Stage(instance=instance, runtime=runtime, key=key, pids=(instance.program.pid,))


@contextmanager
def separate(folder: Path, vendor: Vendor, services: Services, **more: str) -> Iterator[Stage]:
    """The Procfile's processes, on PostgreSQL and Redis; those two count as ours. `more` as above."""
    url = services.databases.create()
    settings = vendor.settings() | more
    instance = servers.Separate(folder, url, services.broker_url, **settings)
    with _running(instance, url, **settings) as (runtime, key):
        own = (program.pid for program in instance.programs.values())
        pids = (*own, services.postgres_pid, services.redis_pid)
        yield Stage(instance=instance, runtime=runtime, key=key, pids=pids)


@contextmanager
def _running(instance: servers.Instance, url: str, **more: str) -> Iterator[tuple[Runtime, str]]:
    with instances.running(url, **more) as runtime:
        key = seeding.api_key(runtime)
        instance.start()
        try:
            wait_for(lambda: servers.is_ready(instance.url), seconds=60)
            yield runtime, key
        finally:
            instance.stop()


@contextmanager
def hello(folder: Path) -> Iterator[tuple[str, int]]:
    """The bare application on the same gunicorn, told the same but to write no log: its address, its pid."""
    port = processes.free_port()
    told = ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--worker-class", "gthread"]
    more = ["--threads", str(THREADS), "--no-control-socket", "tests.bench.forwarding.hello:app"]
    argv = [sys.executable, "-m", "gunicorn", *told, *more]
    process = processes.start(argv, log=folder / "hello.log")
    try:
        wait_for(lambda: servers.is_taken(port), seconds=20)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        processes.end(process)
