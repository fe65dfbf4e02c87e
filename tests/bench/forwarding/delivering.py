"""What it costs to deliver: ours, by batches and one by one, beside a task an event and a job an event."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.bench.forwarding import load, stage
from tests.bench.forwarding.contestants import BullMQ, Contestant, Delivered, NaiveCelery, crowd
from tests.bench.forwarding.services import Services
from tests.bench.forwarding.table import Row, one_of, times

#: events a delivery; with `share` less, for a quick look
COUNTS = {"batch": 40_000, "single": 4_000, "celery": 1_000, "bullmq": 4_000}
FORMS = ("batch", "single")
_USERS = 4
#: what one worker process of Celery may be
POOLS = {
    "prefork": ("--pool", "prefork", "--concurrency", "1"),
    "threads": ("--pool", "threads", "--concurrency", "8"),
}


def rows(folder: Path, services: Services, *, rounds: int, share: float) -> Iterator[Row]:
    """Everybody in turns, round after round."""
    with (
        closing(stage.Vendor(folder)) as vendor,
        stage.embedded(folder, vendor) as small,
        stage.separate(folder, vendor, services) as large,
    ):
        celery = _better(folder, vendor, services, share)
        who: dict[str, Contestant] = {
            "SQLite batch": crowd(small, vendor, "batch", _USERS),
            "SQLite single": crowd(small, vendor, "single", _USERS, stage.SINGLE),
            "celery": celery,
            "PostgreSQL batch": crowd(large, vendor, "batch", _USERS),
            "PostgreSQL single": crowd(large, vendor, "single", _USERS, stage.SINGLE),
            "bullmq": BullMQ(folder, vendor, services.broker_url, services.redis_pid),
        }
        seen: dict[str, list[Delivered]] = {name: [] for name in who}
        for _ in range(rounds):
            for name, one in who.items():
                seen[name].append(one.deliver(_count(name, share)))
        absorbed = [_absorbs(vendor, events) for events in (100, 1)]
    yield from _table(seen, celery.pool[1])
    for what, form, most in zip(("events/s in batches", "single requests/s"), FORMS, absorbed, strict=True):
        fastest = max(one.rate for name, several in seen.items() if name.endswith(form) for one in several)
        name = f"the sink: {what} it absorbs against the most that was delivered"
        yield Row(name=name, must=10, aim=10, pairs=[(most, fastest)], unit="/s", write=times)


def _absorbs(vendor: stage.Vendor, events: int) -> float:
    """Events a second that the sink takes, pushed as fast as one process can."""
    asked = load.Load(
        url=f"{vendor.url}/",
        seconds=2,
        events=events,
        users="u",
        connections=4,
        ahead=2 if events > 1 else 100,
    )
    return load.run(asked).rate * events


def _count(name: str, share: float) -> int:
    return max(400, int(COUNTS[name.rpartition(" ")[2]] * share) // 400 * 400)


def _better(folder: Path, vendor: stage.Vendor, services: Services, share: float) -> NaiveCelery:
    """The faster of the two pools, each tried once."""
    tried = [
        NaiveCelery(folder, vendor, services.broker_url, services.redis_pid, pool) for pool in POOLS.values()
    ]
    return max(tried, key=lambda one: one.deliver(_count("celery", share / 2)).rate)


def _table(seen: dict[str, list[Delivered]], pool: str) -> Iterator[Row]:
    rates = {name: [one.rate for one in several] for name, several in seen.items()}
    costs = {name: [one.cpu * 1e6 for one in several] for name, several in seen.items()}
    naive = f"naive Celery ({pool})"
    bounds = {
        "SQLite batch": (30, 60),
        "PostgreSQL batch": (20, 35),
        "SQLite single": (5, 10),
        "PostgreSQL single": (5, 10),
    }
    said = {"batch": "a vendor that batches", "single": "a vendor of one event a request"}
    for name, (must, aim) in bounds.items():
        base, _, form = name.partition(" ")
        pairs = list(zip(rates[name], rates["celery"], strict=True))
        what = f"delivered/s against {naive}, {said[form]}, {base}"
        yield Row(name=what, must=must, aim=aim, pairs=pairs, unit="/s", write=times)
    for base in ("SQLite", "PostgreSQL"):
        pairs = list(zip(costs[f"{base} batch"], costs["celery"], strict=True))
        what = f"CPU a delivered event, accept to settled, against {naive}, {base}"
        yield Row(name=what, must=1 / 30, aim=1 / 60, pairs=pairs, more=False, unit="µs", write=one_of)
    pairs = list(zip(rates["SQLite batch"], rates["bullmq"], strict=True))
    yield Row(
        name="delivered/s against BullMQ, a vendor that batches, SQLite",
        must=1,
        aim=1,
        pairs=pairs,
        unit="/s",
        write=times,
    )
