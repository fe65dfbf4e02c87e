"""What a backlog costs: the next batch, accepting and reading, with a million waiting or 100,000 standing by.

In this process and without a vendor: what is measured is the database under the core's own functions.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import update

from tests import instances, seeding
from tests.bench.forwarding import filling, load
from tests.bench.forwarding.services import Services
from tests.bench.forwarding.table import Row
from webapp.app import create_app
from webapp.core import events, sessions
from webapp.core.events import EventForm
from webapp.core.runtime import Runtime
from webapp.core.streams.leases import lease_next
from webapp.core.streams.pages import read_page
from webapp.core.streams.settling import Next, Settlement, settle
from webapp.lib.ids import uuid7
from webapp.models import Destination, Role, SessionKind, User

FEW, MANY = 1_000, 1_000_000
IDLE_FEW, IDLE_MANY = 10, 100_000
_BATCH = 100
_TURNS = 40


@dataclass(frozen=True, slots=True)
class Field:
    """A database with one destination that is behind and others that are not."""

    runtime: Runtime
    destination_id: UUID
    #: in which an admin is signed in
    client: FlaskClient

    def page(self) -> None:
        """The list of events."""
        assert self.client.get("/events").status_code == 200

    def count(self) -> None:
        """The figures for Prometheus."""
        assert self.client.get("/metrics").status_code == 200

    def next_batch(self) -> None:
        """Lease what is due, read its next page and settle it; then it is behind by the same again."""
        with self.runtime.database.write() as session:
            lease = lease_next(session, "bench")
        assert lease is not None
        with self.runtime.database.read() as session:
            page = read_page(session, lease.stream_id, lease.cursor_seq, rows=_BATCH, wants=None)
        with self.runtime.database.write() as session:
            count = page.last_seq - lease.cursor_seq
            settle(session, lease, Settlement(to_seq=page.last_seq, delivered=count, next=Next.YIELD))
        with self.runtime.database.write() as session:
            session.execute(
                update(Destination).where(Destination.id == self.destination_id).values(cursor_seq=0)
            )

    def accept(self, made: Iterator[bytes]) -> None:
        """Accept a request of 100 for the stream that is behind."""
        body = next(made).partition(b"\r\n\r\n")[2]
        events.accept(self.runtime, body, form=EventForm.NATIVE, only_user=None)


def rows(folder: Path, services: Services | None, *, share: float, turns: int = _TURNS) -> Iterator[Row]:
    """Both databases; without `services` SQLite alone. `share` is of the million and the 100,000."""
    many, crowd = int(MANY * share), int(IDLE_MANY * share)
    urls: dict[str, Callable[[str], str]] = {"SQLite": lambda name: f"sqlite:///{folder / name}.db"}
    if services is not None:
        urls["PostgreSQL"] = lambda _: services.databases.create()
    for base, url in urls.items():
        with ExitStack() as stack:
            few, deep, wide = (
                stack.enter_context(_field(url(name), waiting, idle))
                for name, waiting, idle in (
                    ("few", FEW, IDLE_FEW),
                    ("deep", many, IDLE_FEW),
                    ("wide", FEW, crowd),
                )
            )
            yield from _compare(base, few, deep, wide, turns)


def _compare(base: str, few: Field, deep: Field, wide: Field, turns: int) -> Iterator[Row]:
    def timed(name: str, *, must: float, aim: float, field: Field, act: Callable[[Field], None]) -> Row:
        pairs = [(_milliseconds(act, field), _milliseconds(act, few)) for _ in range(turns)]
        more = must < 1
        if more:  # a rate is one by a time
            pairs = [(1000 / ours, 1000 / beside) for ours, beside in pairs]
        unit = "requests of 100/s" if more else "ms"
        return Row(name=f"{name} ({base})", must=must, aim=aim, pairs=pairs, more=more, unit=unit)

    def accept(field: Field) -> None:
        field.accept(made)

    made = load.requests(load.Load(url="http://-", seconds=0, events=100, users="u1"))
    batch = "next batch, {} against {}"
    yield timed(
        batch.format("a million waiting", "a thousand"), must=1.5, aim=1.1, field=deep, act=Field.next_batch
    )
    yield timed(
        batch.format("100,000 idle destinations", "ten"), must=1.5, aim=1.1, field=wide, act=Field.next_batch
    )
    yield timed("accepting, a million waiting against a thousand", must=0.9, aim=0.97, field=deep, act=accept)
    for name, act in (("a page of events", Field.page), ("the counters at /metrics", Field.count)):
        yield timed(
            f"{name} with a million waiting against a thousand", must=2.0, aim=1.3, field=deep, act=act
        )


def _milliseconds(act: Callable[[Field], None], field: Field) -> float:
    start = time.perf_counter()
    act(field)
    return (time.perf_counter() - start) * 1000


@contextmanager
def _field(url: str, waiting: int, idle: int) -> Iterator[Field]:
    with instances.running(url) as runtime:
        made = seeding.attach(runtime, "u1", "w-1", "key-1")
        filling.let_stand_by(runtime.database, made.destination_id, idle)
        filling.make_wait(runtime.database, made.destination_id, waiting)
        app = create_app(runtime)
        client = app.test_client()
        with runtime.database.write() as session, client.session_transaction() as kept:
            admin = User(id=uuid7(), email="ada@example.org", role=Role.ADMIN, password_hash="-")
            session.add(admin)
            session.flush()
            kept["sid"] = sessions.open(session, admin.id, SessionKind.LOGIN).reveal()
        field = Field(runtime, made.destination_id, client)
        for act in (Field.next_batch, Field.page, Field.count):
            act(field)
        yield field
