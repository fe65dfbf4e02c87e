"""`python -m tests.bench.credentials`: what keeping credentials costs, on PostgreSQL, in one run.

CPU a fresh read (over HTTP, authenticated, audited) and a refresh, of ours and of the database together;
reads a second with 1, 8 and 32 callers; and how long the look for what is due takes with a thousand, a
hundred thousand and a million credentials. The machine's speed is its own: quote ratios, and CPU an item.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import text

from tests import instances, servers
from tests.bench.forwarding import load, services
from tests.bench.forwarding.machine import cpu_seconds
from tests.core.grants import make_grants
from tests.faults.credentials import Plan, Vendor
from tests.waiting import wait_for
from webapp.core import api_keys
from webapp.core.api_keys import Scope
from webapp.core.audit import HITCHPOST
from webapp.core.refresh import lease as leases
from webapp.core.runtime import Runtime

CALLERS = (1, 8, 32)
SIZES = (1_000, 100_000, 1_000_000)
_LOOKS = 50
_DUE = 100

_MULTIPLY = text(
    """
    INSERT INTO credentials (id, connection_id, kind, scope, slot, sealed, key_id, fingerprint, generation,
                             issued_at, expires_at, refresh_at, failures, created_at)
    SELECT gen_random_uuid(), connection_id, kind, scope, 'copy:' || n, sealed, key_id, fingerprint, 1,
           now(), now() + interval '1 day', now() + interval '1 day' * random() + interval '1 hour', 0, now()
    FROM (SELECT * FROM credentials LIMIT 1) AS one,
         generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
    """
)


@contextmanager
def staged(
    folder: Path, shared: services.Services, vendor: Vendor
) -> Iterator[tuple[servers.Separate, Runtime]]:
    """The Procfile's processes on an empty database, and a Runtime beside them."""
    url = shared.databases.create()
    settings = {
        "baselime_api_url": vendor.url,
        "baselime_client_id": "client-1",
        "baselime_client_secret": "client-secret-of-a-benchmark",
        "refreshes_per_second": "1000",
    }
    instance = servers.Separate(folder, url, shared.broker_url, **settings)
    with instances.running(url, **settings) as runtime:
        instance.start()
        try:
            wait_for(lambda: servers.is_ready(instance.url), seconds=60)
            yield instance, runtime
        finally:
            instance.stop()


def reads(
    instance: servers.Separate, runtime: Runtime, database_pid: int, *, seconds: float
) -> Iterator[tuple[int, load.Seen, float]]:
    """For each number of callers: what the load saw, and CPU milliseconds a read, ours and the database's."""
    (grant,) = make_grants(runtime, 1)
    with runtime.database.write() as session:
        _, key = api_keys.create(session, HITCHPOST, "bench", [Scope.CREDENTIALS_READ])
    url = f"{instance.url}/api/v1/connections/{grant.connection_id}/access-token"
    pids = (instance.programs["web"].pid, database_pid)
    for callers in CALLERS:
        asked = load.Load(url=url, seconds=seconds, key=key.reveal(), connections=callers)
        load.run(load.Load(url=url, seconds=seconds / 10, key=key.reveal(), connections=callers))
        before = cpu_seconds(*pids)
        seen = load.run(asked)
        yield callers, seen, (cpu_seconds(*pids) - before) / max(seen.requests, 1) * 1000


def refreshes(
    instance: servers.Separate, runtime: Runtime, vendor: Vendor, database_pid: int, *, count: int
) -> tuple[float, float]:
    """CPU milliseconds a refresh, ours and the database's, and refreshes a second."""
    pids = (instance.programs["worker"].pid, database_pid)
    idle = cpu_seconds(*pids)
    time.sleep(2.0)  # what the processes cost while nothing is asked of them
    idle = (cpu_seconds(*pids) - idle) / 2.0
    done_before, before, start = (
        vendor.read()["counts"].get("traded", 0),
        cpu_seconds(*pids),
        time.monotonic(),
    )
    make_grants(runtime, count, due=True)
    wait_for(lambda: vendor.read()["counts"].get("traded", 0) - done_before >= count, seconds=120, pause=0.05)
    seconds = time.monotonic() - start
    return (cpu_seconds(*pids) - before - idle * seconds) / count * 1000, count / seconds


def looks(runtime: Runtime, sizes: tuple[int, ...]) -> Iterator[tuple[int, float]]:
    """Milliseconds of the look for what is due, with so many credentials and a hundred of them due."""
    make_grants(runtime, _DUE, due=True)
    have = _DUE
    for size in sizes:
        with runtime.database.engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(_MULTIPLY, {"first": have + 1, "last": size})
        with runtime.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("VACUUM ANALYZE credentials"))
        have = size
        queue = leases.Queue(runtime)
        assert queue.look()
        yield size, statistics.median(_timed(queue) for _ in range(_LOOKS))


def _timed(queue: leases.Queue) -> float:
    start = time.perf_counter()
    queue.look()
    return (time.perf_counter() - start) * 1000


def lines(*, seconds: float, count: int, sizes: tuple[int, ...]) -> Iterator[str]:
    """The table, line by line, as Markdown."""
    yield "| credentials, on PostgreSQL | seen | to reach |"
    yield "|---|---|---|"
    plan = Plan(life=86_400.0, loss=0.0, strict=0.0)
    with tempfile.TemporaryDirectory() as made, services.running() as shared:
        folder = Path(made)
        with closing(Vendor(folder, plan)) as vendor, staged(folder, shared, vendor) as (instance, runtime):
            for callers, seen, cost in reads(instance, runtime, shared.postgres_pid, seconds=seconds):
                assert not seen.refused
                yield f"| CPU a fresh read, {callers} at a time | {cost:.2f} ms | < 1.5 ms |"
                yield f"| fresh reads a second, {callers} at a time | {seen.rate:.0f} |  |"
            cost, rate = refreshes(instance, runtime, vendor, shared.postgres_pid, count=count)
            yield f"| CPU a refresh ({rate:.0f} a second) | {cost:.2f} ms | < 5 ms |"
        with instances.running(shared.databases.create()) as runtime:
            first = 0.0
            for size, milliseconds in looks(runtime, sizes):
                first = first or milliseconds
                yield f"| look for what is due among {size:,} | {milliseconds / first:.2f} × | ≤ 2 × |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of reading, for each number of callers")
    parser.add_argument("--refreshes", type=int, default=2000)
    asked = parser.parse_args()
    for line in lines(seconds=asked.seconds, count=asked.refreshes, sizes=SIZES):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
