"""What it costs to accept, one event and a hundred a request, beside a bare application on such a server."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests import seeding
from tests.bench.forwarding import filling, load, stage
from tests.bench.forwarding.machine import cpu_seconds
from tests.bench.forwarding.services import Services
from tests.bench.forwarding.table import Row, times
from webapp.core import destinations
from webapp.core.audit import HITCHPOST
from webapp.models import Hold

_USERS = 4


def rows(folder: Path, services: Services | None, *, rounds: int, seconds: float) -> Iterator[Row]:
    """Both databases, each beside the bare application; without `services` SQLite alone."""
    vendor = stage.Vendor(folder)
    with closing(vendor):
        with stage.embedded(folder, vendor) as ours:
            yield from _compare("SQLite, one process", ours, folder, rounds, seconds)
        if services is None:
            return
        with stage.separate(folder, vendor, services) as ours:
            yield from _compare("PostgreSQL", ours, folder, rounds, seconds)


def _compare(name: str, ours: stage.Stage, folder: Path, rounds: int, seconds: float) -> Iterator[Row]:
    users = _prepare(ours)
    rates: dict[str, list[tuple[float, float]]] = {"one": [], "hundred": [], "cost": [], "bulk": []}
    with stage.hello(folder) as (url, pid):
        for _ in range(rounds):
            bare, bare_cost = _push(url, "", users, 1, seconds, pid)
            one, cost = _push(ours.instance.url, ours.key, users, 1, seconds, *ours.pids)
            hundred, _ = _push(ours.instance.url, ours.key, users, 100, seconds, *ours.pids)
            rates["one"].append((one, bare))
            rates["cost"].append((bare_cost, cost))
            rates["hundred"].append((hundred * 100, bare))
            rates["bulk"].append((hundred * 100, filling.bulk_rate(ours.runtime.database, seconds)))
    yield Row(
        name=f"one event a request against hello-world ({name})",
        must=0.6,
        aim=0.75,
        pairs=rates["one"],
        unit="/s",
    )
    yield Row(
        name=f"… by CPU a request ({name})", must=0.6, aim=0.75, pairs=rates["cost"], unit="µs, hello : ours"
    )
    yield Row(
        name=f"100 a request: events/s against hello-world's requests/s ({name})",
        must=10,
        aim=15,
        pairs=rates["hundred"],
        unit="/s",
        write=times,
    )

    name = f"100 a request against the same database's bare insert of 100 rows a commit ({name})"
    yield Row(name=name, must=0, aim=0, pairs=rates["bulk"], unit="/s")


def _prepare(ours: stage.Stage) -> str:
    """Users whose one destination stands still: what is accepted waits, and nothing is sent meanwhile."""
    made = [seeding.attach(ours.runtime, f"u{at}", f"w-{at}", f"key-{at}") for at in range(_USERS)]
    with ours.runtime.database.write() as session:
        for one in made:
            destinations.hold(session, one.destination_id, Hold.PAUSED, "", actor=HITCHPOST)
    return " ".join(one.external_id for one in made)


def _push(url: str, key: str, users: str, events: int, seconds: float, *pids: int) -> tuple[float, float]:
    """Requests a second, and µs of CPU a request."""
    before = cpu_seconds(*pids)
    connections = stage.THREADS if events == 1 else 4
    asked = load.Load(
        url=f"{url}/api/v1/events",
        seconds=seconds,
        events=events,
        key=key,
        users=users,
        connections=connections,
    )
    seen = load.run(asked)
    if seen.refused:
        message = f"{seen.refused} of {seen.requests} requests were refused"
        raise AssertionError(message)
    return seen.rate, (cpu_seconds(*pids) - before) / seen.requests * 1e6
