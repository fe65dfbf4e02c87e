"""Who is to deliver a backlog: ours, a task an event on Celery, a job an event on BullMQ.

Each is given its events first and only then begins to deliver. The rate is taken between the first and the
last arrival at the sink, so that nobody's start counts; the CPU is that of every process that takes part,
from the first event given to the last one settled.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from celery import Celery
from sqlalchemy import ColumnElement, exists, func, select

from tests import seeding
from tests.bench.forwarding import load
from tests.bench.forwarding.machine import cpu_seconds
from tests.bench.forwarding.stage import Stage, Vendor
from tests.services import fetch, processes
from tests.waiting import wait_for
from webapp.core import destinations
from webapp.core.audit import HITCHPOST
from webapp.models import Destination, Hold, Stream, User

HERE = Path(__file__).parent
#: what a task or a job carries: the envelope that ours sends for the same event
ENVELOPE = json.loads(
    '{"id": "a-00000001", "source": "shop", "type": "deployment", "subject": "checkout",'
    ' "time": "2026-01-31T12:00:00.000Z", "timestamp": 1769860800000, "message": "checkout 1.4.2 went out",'
    ' "data": {"version": "1.4.2", "commit": "9f8a7b6c5d4e", "by": "ada", "environment": "production",'
    ' "duration": 12.5, "message": "checkout 1.4.2 went out"}}'
)
_SECONDS = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a delivery came to: events a second, and CPU seconds an event."""

    rate: float
    cpu: float


class Contestant(Protocol):
    """Delivers `count` events to the sink."""

    def deliver(self, count: int) -> Delivered: ...


@dataclass(frozen=True, slots=True)
class Ours:
    """An instance of ours with several users; each has one destination."""

    stage: Stage
    vendor: Vendor
    users: Sequence[str]
    #: events a request, when they are accepted
    together: int = 100

    def deliver(self, count: int) -> Delivered:
        """Hold every destination, send the events in, release them, and wait until all is settled."""
        self.hold(holding=True)
        settled, before = self._settled(), cpu_seconds(*self.stage.pids)
        self.accept(count)
        self.vendor.forget()
        self.hold(holding=False)
        wait_for(lambda: self._settled() - settled >= count, seconds=_SECONDS, pause=0.05)
        spent = cpu_seconds(*self.stage.pids) - before
        return Delivered(rate=rate(self.vendor.counts(), count), cpu=spent / count)

    def deliver_again(self) -> float:
        """Have all that was ever accepted for its users sent once more: events a second."""
        self.vendor.forget()
        settled, count = self._settled(), self.rewind()
        wait_for(lambda: self._settled() - settled >= count, seconds=_SECONDS, pause=0.05)
        return rate(self.vendor.counts(), count)

    def rewind(self) -> int:
        """Begin with the first event of each again; how many are sent once more."""
        with self.stage.runtime.database.write() as session:
            return sum(
                destinations.rewind(session, HITCHPOST, row, to_seq=1) for row in self.destination_ids()
            )

    def is_at_rest(self) -> bool:
        """Whether nothing is under way."""
        own = Destination.id.in_(self.destination_ids())
        with self.stage.runtime.database.read() as session:
            return session.scalar(select(exists().where(own, Destination.lease_token.is_not(None)))) is False

    def accept(self, count: int) -> None:
        """Send so many events in."""
        url = f"{self.stage.instance.url}/api/v1/events"
        users, most = " ".join(self.users), count // self.together
        asked = load.Load(
            url=url,
            seconds=_SECONDS,
            most=most,
            events=self.together,
            key=self.stage.key,
            users=users,
            connections=4,
        )
        if load.run(asked).requests != most:
            message = "not all events were accepted"
            raise AssertionError(message)

    def hold(self, *, holding: bool) -> None:
        """Hold or release what belongs to its users."""
        with self.stage.runtime.database.write() as session:
            for row in self.destination_ids():
                if holding:
                    destinations.hold(session, row, Hold.PAUSED, "")
                else:
                    destinations.release(session, HITCHPOST, row)

    def behind(self) -> int:
        """How many events wait."""
        return self._sum(Stream.head_seq - Destination.cursor_seq)

    def _settled(self) -> int:
        return self._sum(Destination.delivered)

    def _sum(self, figure: ColumnElement[int]) -> int:
        own = Destination.id.in_(self.destination_ids())
        total = select(func.coalesce(func.sum(figure), 0)).where(own, Destination.stream_id == Stream.id)
        with self.stage.runtime.database.read() as session:
            return int(session.execute(total).scalar_one())

    def destination_ids(self) -> Sequence[UUID]:
        """Where the events of its users go."""
        own = (
            select(Destination.id)
            .join(Stream, Stream.id == Destination.stream_id)
            .join(User, User.id == Stream.user_id)
            .where(User.external_id.in_(self.users))
        )
        with self.stage.runtime.database.read() as session:
            return session.scalars(own).all()


def crowd(stage: Stage, vendor: Vendor, name: str, count: int, kind: str = seeding.KIND) -> Ours:
    """So many users of that name, with keys that say it."""
    names = [f"{name}-{at}" for at in range(count)]
    for one in names:
        seeding.attach(stage.runtime, one, f"w-{one}", f"key-{one}", kind)
    return Ours(stage, vendor, names)


@dataclass(frozen=True, slots=True)
class NaiveCelery:
    """One worker process; `pool` says of which kind."""

    folder: Path
    vendor: Vendor
    broker: str
    redis_pid: int
    pool: Sequence[str]

    def deliver(self, count: int) -> Delivered:
        """Send every event as a task, then start the worker."""
        given = _own_cpu() + cpu_seconds(self.redis_pid)
        app = Celery("naive", broker=self.broker)
        with app.connection_for_write() as connection:
            for number in range(count):
                event = ENVELOPE | {"id": f"c-{number:08d}"}
                app.send_task("tests.bench.forwarding.naive.forward", (event,), connection=connection)
        given = _own_cpu() + cpu_seconds(self.redis_pid) - given
        told = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR"]
        module = ["-m", "celery", "-A", "tests.bench.forwarding.naive", "worker"]
        environ = [f"NAIVE_BROKER={self.broker}", f"NAIVE_VENDOR={self.vendor.url}"]
        argv = ["env", *environ, sys.executable, *module, *self.pool, *told]
        rival = _Rival(
            argv=argv,
            folder=self.folder,
            vendor=self.vendor,
            redis_pid=self.redis_pid,
            given=given / count,
        )
        return rival.run(count)


@dataclass(frozen=True, slots=True)
class BullMQ:
    """One node process, fifty jobs at a time."""

    folder: Path
    vendor: Vendor
    broker: str
    redis_pid: int

    def deliver(self, count: int) -> Delivered:
        """Add every event in bulks of 500, then start the worker."""
        script = ["node", "forward.mjs"]
        where = install_bullmq()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        told = [self.broker, self.vendor.url, str(count), json.dumps(ENVELOPE)]
        subprocess.run([*script, "add", *told], cwd=where, check=True, timeout=120)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        given = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        argv = ["env", "-C", str(where), *script, "work", self.broker, self.vendor.url]
        rival = _Rival(
            argv=argv,
            folder=self.folder,
            vendor=self.vendor,
            redis_pid=self.redis_pid,
            given=given / count,
        )
        return rival.run(count)


def install_bullmq() -> Path:
    """The folder with BullMQ as its lock file pins it."""
    target = fetch.STORE / "bullmq"
    stamp = target / "node_modules" / ".lock"
    lock = (HERE / "bullmq" / "package-lock.json").read_bytes()
    shutil.copytree(HERE / "bullmq", target, dirs_exist_ok=True)
    if not stamp.exists() or stamp.read_bytes() != lock:
        argv = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(argv, cwd=target, check=True, capture_output=True, timeout=300)
        stamp.write_bytes(lock)
    return target


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rival:
    """A worker that is started once its queue is filled; `given` is the CPU an event cost until then."""

    argv: Sequence[str]
    folder: Path
    vendor: Vendor
    redis_pid: int
    given: float

    def run(self, count: int) -> Delivered:
        """What it cost to start is left out: counting begins when a tenth has arrived."""
        self.vendor.forget()
        worker = processes.start(self.argv, log=self.folder / "rival.log")
        try:
            wait_for(lambda: self.vendor.counts()["events"] >= count // 10, seconds=60)
            begun, before = self.vendor.counts()["events"], cpu_seconds(worker.pid, self.redis_pid)
            wait_for(lambda: self.vendor.counts()["events"] >= count, seconds=_SECONDS, pause=0.05)
            spent = (cpu_seconds(worker.pid, self.redis_pid) - before) / (count - begun)
            return Delivered(rate=rate(self.vendor.counts(), count), cpu=self.given + spent)
        finally:
            processes.end(worker)


def rate(seen: Mapping[str, Any], count: int) -> float:
    """Events a second between the first arrival and the last, of so many that were to arrive, each once."""
    if seen["events"] != count:
        message = f"{count:,} events were given and {seen['events']:,} arrived"
        raise AssertionError(message)
    return float((count - seen["begun_with"]) / (seen["last"] - seen["first"]))


def _own_cpu() -> float:
    times = os.times()
    return times.user + times.system
