"""What tests of forwarding share: a vendor's inbox that can be told how to fail, and a yard of people."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, cast
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from tests.runtimes import running
from tests.services import postgres
from webapp.core import audit, breakers, credentials, delivery, destinations, events
from webapp.core.delivery import hosts
from webapp.core.runtime import Bell, Runtime
from webapp.errors import VendorUnavailable
from webapp.lib.database import db_time
from webapp.lib.http import Http, Request, Response
from webapp.lib.secret import Secret
from webapp.models import (
    Account,
    Attempt,
    AttemptOutcome,
    Base,
    Breaker,
    Connection,
    ConnectionState,
    Credential,
    CredentialKind,
    DeadLetter,
    DeadLetterState,
    Destination,
    Environment,
    Event,
    Stream,
    User,
)
from webapp.providers import registry
from webapp.providers.baselime import events as baselime
from webapp.providers.receiving import DestinationKind, Encoded, OutgoingEvent, Reading, Target

#: takes one event a request, and nothing else differs
SINGLE = replace(baselime.EVENTS, name="baselime.single", batch_events=1)
ACTOR = audit.Actor("user:test")

#: what a request is answered that holds poison, unless that is listed
MANNERS = {
    "refuses": Response(status=400, body=b'{"message": "Bad Request"}'),
    "breaks": Response(status=500, body=b'{"message": "Internal Error"}'),
    "conflicts": Response(status=409),
    "shuts out": Response(status=403, headers={"content-type": "text/html"}, body=b"<html>Blocked"),
    "is elsewhere": Response(status=404),
}

Say = Callable[[list[dict[str, Any]]], Response]


class Vendor:
    """Encodes and reads as Baselime does, for both kinds."""

    name: ClassVar[str] = "baselime"
    title: ClassVar[str] = "Baselime"
    farewell: ClassVar[str] = ""
    kinds: ClassVar[tuple[DestinationKind, ...]] = (baselime.EVENTS, SINGLE)

    def encode(self, events: Sequence[OutgoingEvent], target: Target) -> Encoded:
        few = events[:1] if target.kind == SINGLE.name else events
        return baselime.encode("https://events.vendor.test", few, target)

    def read(self, response: Response, events: Sequence[OutgoingEvent], target: Target) -> Reading:
        return baselime.read(response, events, target)


@dataclass
class Inbox:
    """Takes events as documented; `poison` holds ids it refuses, `say` replaces its next answers."""

    #: every event taken, in order: (ingest key, event)
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    #: the ids of each request, in order
    requests: list[list[str]] = field(default_factory=list)
    poison: set[str] = field(default_factory=set)
    #: how it speaks of poison: it "lists" it, or answers the whole with one of MANNERS
    manner: str = "lists"
    #: what the next requests meet; a lost answer is one that took the events first
    say: list[Say | Exception] = field(default_factory=list)
    #: what every request meets while set
    always: Say | None = None
    #: called with every request before it is answered
    during: Callable[[], object] = lambda: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, request: Request) -> Response:
        self.during()
        batch = json.loads(request.body)
        with self.lock:
            self.requests.append([event["id"] for event in batch])
            if self.say:
                said = self.say.pop(0)
                if isinstance(said, Exception):
                    raise said
                return said(batch)
            if self.always is not None:
                return self.always(batch)
            return self.answer(request.headers["x-api-key"], batch)

    def answer(self, key: str, batch: list[dict[str, Any]]) -> Response:
        bad = [event for event in batch if event["id"] in self.poison]
        if bad and self.manner in MANNERS:
            return MANNERS[self.manner]
        self.taken += [(key, event) for event in batch if event not in bad]
        if bad:
            return Response(status=400, body=json.dumps({"message": "Bad Request", "invalid": bad}).encode())
        return Response(status=202, body=b'{"message": "Request Accepted"}')

    @property
    def ids(self) -> list[str]:
        """The ids of what was taken, in order."""
        return [event["id"] for _, event in self.taken]

    def lose(self, key: str = "key-1") -> None:
        """Take the next request and lose its answer."""

        def take(batch: list[dict[str, Any]]) -> Response:
            self.answer(key, batch)
            raise VendorUnavailable("no answer in time")

        self.say.append(take)


def status(number: int, body: bytes = b"", **headers: str) -> Say:
    """An answer of that status; header names with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Response(status=number, body=body, headers=named)


class Yard:
    """A runtime with users, connections and destinations, and short words for what tests do."""

    def __init__(self, runtime: Runtime, inbox: Inbox, rung: list[Bell]) -> None:
        self.runtime = runtime
        self.inbox = inbox
        self.rung = rung

    def user(self, external_id: str = "ada") -> UUID:
        with self.runtime.database.write() as session:
            user = User(external_id=external_id)
            session.add(user)
            session.flush()
            return user.id

    def environment(self, user_id: UUID, name: str = "prod", key: str = "key-1") -> UUID:
        """A connection of its own, with one environment and its ingest key."""
        with self.runtime.database.write() as session:
            connection = Connection(
                user_id=user_id,
                provider="baselime",
                client_key="c",
                label="acme",
                state=ConnectionState.ACTIVE,
            )
            session.add(connection)
            session.flush()
            account = Account(
                connection_id=connection.id, provider="baselime", account_key=f"{name}-{user_id}"
            )
            session.add(account)
            session.flush()
            environment = Environment(account_id=account.id, vendor_key=name)
            session.add(environment)
            session.flush()
            credentials.add(
                session,
                self.runtime.vault,
                connection.id,
                CredentialKind.INGEST_KEY,
                {"ingest_key": Secret(key)},
                environment_id=environment.id,
            )
            return environment.id

    def forward(
        self, environment_id: UUID, kind: str = "baselime.events", *, backfill: bool = False, **settings: Any
    ) -> UUID:
        with self.runtime.database.write() as session:
            made = destinations.create(session, ACTOR, environment_id, kind, settings, backfill=backfill)
            return made.id

    def destination(self, kind: str = "baselime.events", *, who: str = "ada", **settings: Any) -> UUID:
        """A user with a connection and a destination, all at once."""
        return self.forward(self.environment(self.user(who)), kind, **settings)

    def accept(self, *ids: str, user: str = "ada", **fields: Any) -> tuple[str, ...]:
        """Events of these ids; the public ids."""
        items = [{"user": user, "id": name, "type": "deployment", **fields} for name in ids]
        payload = json.dumps(items).encode()
        return events.accept(self.runtime, payload, form=events.EventForm.NATIVE, only_user=None).ids

    def drain(self, *, hastened: int = 0) -> int:
        """Deliver until nothing is due; `hastened` times make what waits for later due and go on."""
        requests = 0
        for again in range(hastened + 1):
            if again:
                self.hasten()
            while delivery.work_left(self.runtime):
                requests += delivery.drain(self.runtime)
        return requests

    def hasten(self) -> None:
        """Let the time pass that destinations and hosts wait for; a lease stays a lease."""
        waits = (Destination.due_at.is_not(None), Destination.lease_token.is_(None))
        self.change(update(Destination).where(*waits).values(due_at=db_time()))
        self.change(update(Breaker).where(breakers.is_tripped()).values(open_until=db_time()))
        hosts.look_again(self.runtime)

    def change(self, statement: Any) -> None:
        with self.runtime.database.write() as session:
            session.execute(statement, execution_options={"synchronize_session": False})

    def row(self, destination_id: UUID) -> Destination:
        with self.runtime.database.read() as session:
            return session.get_one(Destination, destination_id)

    def connection(self, destination_id: UUID) -> Connection:
        with self.runtime.database.read() as session:
            query = (
                select(Connection)
                .join(Account, Account.connection_id == Connection.id)
                .join(Environment, Environment.account_id == Account.id)
                .join(Destination, Destination.environment_id == Environment.id)
                .where(Destination.id == destination_id)
            )
            return session.scalars(query).one()

    def attempts(self, destination_id: UUID) -> Sequence[Attempt]:
        with self.runtime.database.read() as session:
            query = select(Attempt).where(Attempt.destination_id == destination_id).order_by(Attempt.id)
            return session.scalars(query).all()

    def outcomes(self, destination_id: UUID) -> list[tuple[AttemptOutcome, int, int]]:
        """Of each attempt of a destination: how it ended, its events and its requests."""
        return [(row.outcome, row.events, row.requests) for row in self.attempts(destination_id)]

    def dead_letters(self, destination_id: UUID) -> Sequence[DeadLetter]:
        with self.runtime.database.read() as session:
            query = select(DeadLetter).where(DeadLetter.destination_id == destination_id)
            return session.scalars(query.order_by(DeadLetter.seq, DeadLetter.id)).all()

    def rekey(self, key: str) -> None:
        """Every ingest key is another from now on."""
        with self.runtime.database.write() as session:
            for credential in session.scalars(select(Credential)):
                credentials.replace(session, self.runtime.vault, credential, {"ingest_key": Secret(key)})

    def assert_ledgers_are_exact(self) -> None:
        """Every identity of the ledger, for every destination."""
        with self.runtime.database.read() as session:
            for row, stream in session.execute(
                select(Destination, Stream).join(Stream, Stream.id == Destination.stream_id)
            ):
                settled = row.delivered + row.filtered + row.dead + row.expired
                waiting = stream.head_seq - row.cursor_seq
                assert stream.head_seq - row.origin_seq + row.rewound == settled + waiting
                letters = select(DeadLetter.state, func.count()).where(DeadLetter.destination_id == row.id)
                counted = dict(session.execute(letters.group_by(DeadLetter.state)).all())
                assert row.dead == sum(counted.values())
                assert row.queued == counted.get(DeadLetterState.QUEUED, 0)
                kept = select(func.count()).where(Event.stream_id == stream.id)
                assert session.scalar(kept) == stream.head_seq - stream.tail_seq + 1


@contextmanager
def opened_yard(database_url: str) -> Iterator[Yard]:
    """A Yard on a database of its own."""
    rung: list[Bell] = []
    inbox = Inbox()
    kinds = cast("dict[str, DestinationKind]", registry.KINDS)
    kinds[SINGLE.name] = SINGLE
    try:
        with running(database_url) as runtime:
            parts = replace(
                runtime, providers={"baselime": Vendor()}, http=cast("Http", inbox), wake=rung.append
            )
            yield Yard(parts, inbox, rung)
    finally:
        kinds.pop(SINGLE.name, None)  # a test may have two yards open


@pytest.fixture(scope="session")
def sqlite_yard_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('yard') / 'hitchpost.db'}"


@pytest.fixture(scope="session")
def postgres_yard_url(postgres_databases: postgres.Databases) -> Iterator[str]:
    url = postgres_databases.create()
    yield url
    postgres_databases.drop(url)


@pytest.fixture(params=["sqlite", "postgres"])
def yard(request: pytest.FixtureRequest) -> Iterator[Yard]:
    """An empty yard; the test runs once on SQLite and once on PostgreSQL. A database serves many tests.

    The ladder begins at a minute here, so that on a slow machine nothing comes due within the test by itself:
    time passes by `hasten`.
    """
    request.getfixturevalue("monkeypatch").setattr("webapp.core.delivery.policy._BASE_SECONDS", 60.0)
    with opened_yard(request.getfixturevalue(f"{request.param}_yard_url")) as made:
        with made.runtime.database.write() as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(table.delete())
        yield made
