"""`python -m tests.faults.credentials`: many credentials of short lives, kept alive through every fault.

A thousand grants of 30 seconds through 240 cycles (that takes about 70 minutes), by two real worker processes
on PostgreSQL, at a vendor whose refresh tokens work once. Workers are killed and frozen past their leases,
answers are lost, the vendor, the database and Redis go away and come back. The vendor keeps the accounts: no
token may be spent twice but after a loss, no family revoked that has a window, and no connection lost that
could be kept.
"""

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from redis import Redis
from sqlalchemy import func, select, update

from tests import instances, servers
from tests.core.grants import make_grants
from tests.services import postgres, processes
from tests.services import redis as redises
from tests.waiting import wait_for
from webapp.core import audit_chain
from webapp.core.runtime import Runtime
from webapp.lib.database import db_time
from webapp.models import Connection, ConnectionState, Credential

#: The mean share of a life after which a grant is refreshed.
SHARE = 0.585
#: Longer than a lease and the call to its holder.
FROZEN_SECONDS = 30.0
_LONGEST_OUTAGE = 10.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a campaign is to do."""

    credentials: int = 1000
    cycles: int = 240
    life: float = 30.0
    loss: float = 0.005
    strict: float = 0.05
    seed: int = 1
    freezes: bool = True
    #: seconds between faults, at most
    pause: float = 8.0

    @property
    def seconds(self) -> float:
        """How long so many cycles take."""
        return self.cycles * self.life * SHARE


@dataclass
class Report:
    """What was done, what the vendor counted, and what is wrong."""

    faults: Counter[str]
    vendor: Mapping[str, Any]
    cycles: list[int] = field(default_factory=list)
    #: connections that could not be kept, by cause
    lost: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Vendor:
    """The rotating vendor as a process of its own, out of reach of the faults."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        port = processes.free_port()
        self.url = f"http://127.0.0.1:{port}"
        argv = [sys.executable, "-m", "tests.faults.rotating_vendor", "--port", port, "--seed", plan.seed]
        where = {"PYTHONPATH": str(servers.CHECKOUT)}
        words = [str(word) for word in (*argv, "--strict", plan.strict)]
        self._program = servers.Program(words, where, folder / "vendor.log")
        self._program.start()
        wait_for(lambda: servers.is_taken(port), seconds=20)
        self.change(life=plan.life, loss=plan.loss)

    def change(self, **settings: object) -> None:
        """Change how it behaves."""
        self._call("PUT", "/settings", settings)

    def excuse(self, pid: int) -> None:
        """Say that a process was killed or stands still."""
        self._call("POST", "/gone", {"pid": pid})

    def welcome(self, pid: int) -> None:
        """Say that it goes on."""
        self._call("POST", "/back", {"pid": pid})

    def read(self) -> dict[str, Any]:
        """All that it counted."""
        return self._call("GET", "/counts", None)

    def close(self) -> None:
        """End it."""
        self._program.stop()

    def _call(self, method: str, path: str, body: object) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data=data, method=method)  # noqa: S310 - on loopback
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - our own process
            read: dict[str, Any] = json.load(answer)
        return read


class Campaign:
    """Two workers, their database, their Redis, and what befalls them."""

    def __init__(
        self, plan: Plan, folder: Path, cluster: postgres.Cluster, broker: redises.RedisServer
    ) -> None:
        self._plan, self._cluster, self._broker = plan, cluster, broker
        self._chance = random.Random(plan.seed)
        self.vendor = Vendor(folder, plan)
        self.settings = {
            "broker_url": broker.url,
            "baselime_api_url": self.vendor.url,
            "baselime_client_id": "client-1",
            "baselime_client_secret": "client-secret-of-a-campaign",
            "refreshes_per_second": "1000",
        }
        shell = instances.environment(cluster.url, **self.settings) | {"PYTHONPATH": str(servers.CHECKOUT)}
        argv = [str(servers.PROGRAMS / "celery"), "--app", "workers.app", "worker", "--pool", "threads"]
        argv += ["--concurrency", "4", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
        self._workers = [servers.Program(argv, shell, folder / f"worker-{number}.log") for number in (1, 2)]
        self._faults: Counter[str] = Counter()
        #: when a frozen worker goes on
        self._thaws: dict[servers.Program, float] = {}

    def run(self) -> Report:
        """All of it: seed, faults, quiet, verdict."""
        with instances.running(self._cluster.url, **self.settings) as runtime:
            make_grants(runtime, self._plan.credentials, lifetime=self._plan.life)
            for worker in self._workers:
                worker.start()
            try:
                self._disturb(time.monotonic() + self._plan.seconds)
                self._settle(runtime)
            finally:
                self._thaw(now=float("inf"))
                servers.stop_together(self._workers)
            return self._judge(runtime)

    def close(self) -> None:
        """End the vendor."""
        self.vendor.close()

    def _disturb(self, end: float) -> None:
        kinds: list[Callable[[], None]] = [self._kill, self._kill, self._outage, self._no_database]
        kinds += [self._no_redis, *([self._freeze] if self._plan.freezes else [])]
        while (now := time.monotonic()) < end:
            self._thaw(now=now)
            self._mend()
            time.sleep(min(end - now, self._chance.uniform(0.2, 1.0) * self._plan.pause))
            fault = self._chance.choice(kinds)
            fault()
            self._faults[fault.__name__.strip("_")] += 1

    def _kill(self) -> None:
        worker = self._chance.choice(
            [each for each in self._workers if each not in self._thaws] or self._workers
        )
        pid = worker.pid
        worker.kill()
        self._thaws.pop(worker, None)
        self.vendor.excuse(pid)
        worker.start()

    def _mend(self) -> None:
        """As a supervisor does: a worker that found no database when it came up starts again."""
        for worker in self._workers:
            if worker.ended():
                worker.start()

    def _freeze(self) -> None:
        if not self._thaws:
            worker = self._chance.choice(self._workers)
            os.killpg(worker.pid, signal.SIGSTOP)
            self._thaws[worker] = time.monotonic() + FROZEN_SECONDS
            # What it has in hand is as good as lost to whoever takes over.
            self.vendor.excuse(worker.pid)

    def _thaw(self, *, now: float) -> None:
        for worker, moment in list(self._thaws.items()):
            if moment <= now:
                os.killpg(worker.pid, signal.SIGCONT)
                self.vendor.welcome(worker.pid)
                del self._thaws[worker]

    def _outage(self) -> None:
        self.vendor.change(up=False)
        time.sleep(self._chance.uniform(0.1, 0.3) * min(_LONGEST_OUTAGE, self._plan.life))
        self.vendor.change(up=True)

    def _no_database(self) -> None:
        self._cluster.stop(self._chance.choice((signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)))
        time.sleep(self._chance.uniform(0.0, 2.0))
        self._cluster.start()

    def _no_redis(self) -> None:
        with Redis.from_url(self._broker.url) as client:
            client.flushall()

    def _settle(self, runtime: Runtime) -> None:
        """Quiet: no more faults, and no wait longer than need be; until all are renewed once more."""
        self.vendor.change(loss=0.0)
        self._thaw(now=float("inf"))
        with runtime.database.write() as session:
            began = session.execute(select(db_time())).scalar_one()
            # A holder that lives is called and lands what it has; one that was killed is not waited for.
            waits = Credential.lease.is_not(None) | (Credential.failures > 0)
            session.execute(update(Credential).where(waits).values(refresh_at=db_time()))
        behind = (
            select(func.count())
            .select_from(Credential)
            .join(Connection, Connection.id == Credential.connection_id)
            .where(Credential.issued_at < began, Connection.state != ConnectionState.NEEDS_RECONNECT)
        )

        def none_behind() -> bool:
            self._mend()
            with runtime.database.read() as session:
                return session.scalar(behind) == 0

        wait_for(none_behind, seconds=120 + 2 * self._plan.life, pause=0.2)

    def _judge(self, runtime: Runtime) -> Report:
        counted = self.vendor.read()
        report = Report(self._faults, counted["counts"], sorted(counted["cycles"].values()))
        with runtime.database.read() as session:
            rows = session.execute(
                select(Connection.state, Connection.reason, Credential.lease).join(
                    Credential, Credential.connection_id == Connection.id
                )
            ).all()
        for state, reason, lease in rows:
            if state is ConnectionState.NEEDS_RECONNECT:
                report.lost[(reason or "").partition(":")[0]] += 1
            elif state is not ConnectionState.ACTIVE:
                report.wrong.append(f"a connection is {state.value}: {reason}")
            if lease is not None:
                report.wrong.append("a lease is left")
        report.wrong += list(self._accounts(counted, report))
        fault = audit_chain.verify(runtime).fault
        return report if fault is None else _with(report, f"the audit: {fault}")

    def _accounts(self, counted: Mapping[str, Any], report: Report) -> Iterator[str]:
        nobody, asked = counted["counts"].get("asked by nobody", 0), counted["counts"]["asked"]
        if nobody > max(5, asked / 100):
            yield f"{nobody} of {asked} requests came from a process that could not be told"
        if counted["counts"].get("double spends"):
            moments = ", ".join(
                f"{kill:g} s before a kill and {age:g} s before" for kill, age in counted["twice"]
            )
            yield f"{counted['counts']['double spends']} double spends, of tokens traded {moments}"
        # Only a family without a window may be lost, and each of them has the one cause there is.
        if sum(report.lost.values()) != len(counted["revoked"]):
            yield f"{sum(report.lost.values())} connections lost, {len(counted['revoked'])} families revoked"
        if set(report.lost) - {"An interrupted rotation"}:
            yield f"connections lost by another cause: {dict(report.lost)}"
        if not self._plan.strict and counted["revoked"]:
            yield f"{len(counted['revoked'])} families revoked that had a window"


def _with(report: Report, fault: str) -> Report:
    report.wrong.append(fault)
    return report


@contextmanager
def campaign(plan: Plan) -> Iterator[Campaign]:
    """A campaign on services of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(closing(postgres.Cluster(postgres.find_programs()))).start()
        broker = stack.enter_context(closing(redises.RedisServer(redises.find_program()))).start()
        yield stack.enter_context(closing(Campaign(plan, folder, cluster, broker)))


def main() -> None:
    """Run it and say what was found; status 1 when a promise was broken."""
    usual = Plan()
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("credentials", "cycles", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(usual, name))
    for name in ("life", "loss", "strict"):
        parser.add_argument(f"--{name}", type=float, default=getattr(usual, name))
    plan = Plan(**vars(parser.parse_args()))
    _say(f"{plan.credentials} credentials, {plan.life:g} s each, for {plan.seconds / 60:.0f} minutes")
    with campaign(plan) as made:
        report = made.run()
    _say("faults: " + ", ".join(f"{count} × {name}" for name, count in sorted(report.faults.items())))
    _say("at the vendor: " + ", ".join(f"{count} {name}" for name, count in sorted(report.vendor.items())))
    _say(
        f"cycles of a credential: {report.cycles[0]} to {report.cycles[-1]}, "
        f"median {statistics.median(report.cycles):g}"
    )
    _say(
        "lost, with its cause named: "
        + (", ".join(f"{n} × {why}" for why, n in report.lost.items()) or "none")
    )
    for fault in report.wrong:
        _say(f"✗ {fault}")
    sys.exit(1 if report.wrong else 0)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
