"""A connection in full, its destinations, attempts, dead letters and timeline: and never a secret."""

from dataclasses import asdict
from typing import Any

import pytest

from tests.core.queries.conftest import make, nobody, store
from webapp.core.audit import HITCHPOST, Act, Actor, record
from webapp.core.queries.attempts import AttemptQuery, list_attempts
from webapp.core.queries.connection import find_connection
from webapp.core.queries.dead_letters import (
    DeadLetterQuery,
    count_dead_letters,
    find_dead_letter,
    list_dead_letters,
)
from webapp.core.queries.destinations import (
    DestinationQuery,
    find_destination,
    list_destinations,
)
from webapp.core.queries.health import read_health
from webapp.core.queries.ledgers import read_books
from webapp.core.queries.timeline import list_timeline
from webapp.errors import NotFound
from webapp.lib import clock
from webapp.lib.database import Database
from webapp.lib.ids import uuid7
from webapp.models import (
    Attempt,
    AttemptOutcome,
    Breaker,
    Credential,
    CredentialKind,
    DeadLetter,
    DeadLetterState,
    Hold,
    Process,
)


def key_of(made: Any) -> Credential:
    return Credential(
        connection_id=made.connection.id,
        environment_id=made.environment.id,
        kind=CredentialKind.INGEST_KEY,
        slot=f"ingest_key::{made.environment.id}",
        key_id="k1",
        fingerprint="abcd1234",
        sealed=b"SEALED-BYTES",
    )


def letters(made: Any, number: int) -> list[DeadLetter]:
    return [
        DeadLetter(
            id=uuid7(),
            destination_id=made.destination.id,
            seq=n,
            type="deployment",
            body=b'{"id":"e%d"}' % n,
            reason="too odd",
            state=list(DeadLetterState)[n % 5],
        )
        for n in range(1, number + 1)
    ]


def attempts(made: Any, number: int) -> list[Attempt]:
    moment = clock.now()
    return [
        Attempt(
            destination_id=made.destination.id,
            first_seq=n,
            last_seq=n,
            events=1,
            outcome=list(AttemptOutcome)[n % 2],
            milliseconds=3,
            started_at=moment,
            ended_at=moment,
        )
        for n in range(1, number + 1)
    ]


def test_a_connection_shows_ages_and_fingerprints_and_no_secret(database: Database) -> None:
    made = make("ada")
    with database.write() as session:
        store(session, made)
        session.add(key_of(made))
    with database.read() as session:
        detail = find_connection(session, made.user.id, made.connection.id)
    (environment,) = detail.environments
    assert (environment.account_key, environment.vendor_key) == ("ada-workspace", "prod")
    assert environment.key is not None
    assert environment.key.fingerprint == "abcd1234"
    assert [row.id for row in environment.destinations] == [made.destination.id]
    assert [row.fingerprint for row in detail.credentials] == ["f1f2f3f4"]
    assert "sealed" not in repr(asdict(detail)).lower()


def test_what_is_somebody_elses_is_not_there(database: Database) -> None:
    made = make("ada")
    with database.write() as session:
        store(session, made)
        session.add_all([*letters(made, 1), *attempts(made, 1)])
    with database.read() as session:
        for owner in (nobody(), uuid7()):
            with pytest.raises(NotFound):
                find_connection(session, owner, made.connection.id)
            with pytest.raises(NotFound):
                find_destination(session, owner, made.destination.id)
            assert list_destinations(session, DestinationQuery(owner_id=owner)).rows == ()
            assert list_attempts(session, AttemptQuery(owner_id=owner)).rows == ()
            assert list_dead_letters(session, DeadLetterQuery(owner_id=owner)).rows == ()
        (letter,) = list_dead_letters(session, DeadLetterQuery(owner_id=made.user.id)).rows
        with pytest.raises(NotFound):
            find_dead_letter(session, nobody(), letter.id)


def test_the_ledger_says_what_became_of_every_event(database: Database) -> None:
    made = make("ada", head=20, cursor=12)
    made.destination.origin_seq = 2
    made.destination.delivered, made.destination.filtered, made.destination.dead = 6, 3, 2
    made.destination.rewound = 1
    with database.write() as session:
        store(session, made)
    with database.read() as session:
        ledger = find_destination(session, None, made.destination.id).ledger
    assert (ledger.accepted, ledger.waiting) == (19, 8)
    assert (ledger.delivered, ledger.filtered, ledger.dead, ledger.expired) == (6, 3, 2, 0)


def test_dead_letters_are_filtered_and_paged(database: Database) -> None:
    made = make("ada")
    with database.write() as session:
        store(session, made)
        session.add_all(letters(made, 12))
    with database.read() as session:
        first = list_dead_letters(session, DeadLetterQuery(owner_id=None, limit=5))
        second = list_dead_letters(session, DeadLetterQuery(owner_id=None, limit=50, after=first.next))
        both = (*first.rows, *second.rows)
        assert [row.id for row in both] == sorted((row.id for row in both), reverse=True)
        assert {row.seq for row in both} == set(range(1, 13))
        open_only = DeadLetterQuery(owner_id=None, state=DeadLetterState.OPEN)
        assert count_dead_letters(session, open_only) == len(list_dead_letters(session, open_only).rows) == 2
        assert list_dead_letters(session, DeadLetterQuery(owner_id=None, type="other")).rows == ()
        assert sum(read_books(session, made.destination.id).dead.values()) == 12
        one = find_dead_letter(session, made.user.id, first.rows[0].id)
    assert one.body == f'{{\n  "id": "e{first.rows[0].seq}"\n}}'
    assert one.event_id == f"{made.stream.id.hex}-{one.seq}"


def test_attempts_come_newest_first_and_by_outcome(database: Database) -> None:
    made = make("ada")
    with database.write() as session:
        store(session, made)
        session.add_all(attempts(made, 7))
    with database.read() as session:
        first = list_attempts(session, AttemptQuery(owner_id=made.user.id, limit=4))
        rest = list_attempts(
            session, AttemptQuery(owner_id=None, destination_id=made.destination.id, after=first.next)
        )
        assert [row.first_seq for row in (*first.rows, *rest.rows)] == [7, 6, 5, 4, 3, 2, 1]
        rejected = AttemptQuery(
            owner_id=None, connection_id=made.connection.id, outcome=AttemptOutcome.REJECTED
        )
        assert [row.first_seq for row in list_attempts(session, rejected).rows] == [7, 5, 3, 1]


def test_the_timeline_names_people_and_keys(database: Database) -> None:
    made = make("ada")
    thing = f"connection:{made.connection.id}"
    actors = [HITCHPOST, Actor.user(made.user.id), Actor.key("k3y"), Actor.user(nobody())]
    with database.write() as session:
        store(session, made)
        for actor in actors:
            record(session, actor, Act.REFRESHED, thing, connection_id=made.connection.id)
    with database.read() as session:
        first = list_timeline(session, made.connection.id, limit=3)
        rest = list_timeline(session, made.connection.id, after=first.next)
    names = [line.actor for line in (*first.rows, *rest.rows)]
    assert names == ["A former user", "API key k3y", "ada@example.com", "Hitchpost"]


def test_health_counts_what_is_due_held_and_dead(database: Database) -> None:
    made = make("ada", head=9, cursor=4)
    made.destination.due_at = clock.now()
    held = make("bob", head=1, cursor=0)
    held.destination.hold = Hold.KEY_REFUSED
    with database.write() as session:
        store(session, made, held)
        session.add_all([*letters(made, 5), Process(kind="worker", host="here")])
        session.add(Breaker(scope="client", key="baselime", open_until=clock.now(), incident="401"))
    with database.read() as session:
        health = read_health(session)
    assert {due.work: due.count for due in health.due} == {
        "deliveries": 1,
        "refreshes": 0,
        "notices": 0,
        "revocations": 0,
        "environment lists": 0,
    }
    assert (health.waiting, health.dead_letters, health.holds) == (6, 1, {Hold.KEY_REFUSED: 1})
    assert [process.alive for process in health.processes] == [True]
    assert [breaker.incident for breaker in health.breakers] == ["401"]
