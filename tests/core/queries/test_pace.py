"""How long until what waits is sent: of one destination, and the longest of each kind."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.core.queries.conftest import Made, make, store
from webapp.core.queries import pace
from webapp.core.queries.destinations import find_destination
from webapp.core.queries.pace import drained_in, longest_drains
from webapp.lib import clock
from webapp.lib.database import Database
from webapp.models import Attempt, AttemptOutcome, Hold


def attempt(
    made: Made, events: int, milliseconds: int, outcome: AttemptOutcome = AttemptOutcome.DELIVERED
) -> Attempt:
    return Attempt(
        destination_id=made.destination.id,
        first_seq=1,
        last_seq=events,
        events=events,
        outcome=outcome,
        milliseconds=milliseconds,
        started_at=clock.now(),
        ended_at=clock.now(),
    )


def one(session: Session, made: Made) -> float | None:
    return drained_in(session, find_destination(session, None, made.destination.id))


def test_the_slowest_of_each_kind_is_told_by_its_last_good_request(database: Database) -> None:
    slow, fast, other = (
        make(name, head=head, cursor=0, provider=provider)
        for name, head, provider in (("ada", 30, "baselime"), ("eve", 90, "baselime"), ("bob", 8, "librato"))
    )
    with database.write() as session:
        store(session, slow, fast, other)
        session.add_all([attempt(slow, 1, 1), attempt(slow, 4, 1000), attempt(fast, 100, 500)])
        session.flush()
        retried = attempt(slow, 1, 60_000, AttemptOutcome.RETRY)
        session.add_all([retried, attempt(other, 50, 0)])
    with database.read() as session:
        assert [one(session, made) for made in (slow, fast)] == [7.5, 0.45]
        assert longest_drains(session) == {"baselime.events": 7.5, "librato.events": pytest.approx(0.00016)}


@pytest.mark.parametrize(
    "changes",
    [
        {"cursor_seq": 9},
        {"hold": Hold.PAUSED},
        {"failing_since": clock.now()},
        {"closed_at": clock.now()},
        {},
    ],
)
def test_of_a_kind_for_which_nothing_waits_or_nobody_can_tell_there_is_none(
    database: Database, changes: dict[str, Any]
) -> None:
    made = make("ada", head=9, cursor=0)
    for name, value in changes.items():
        setattr(made.destination, name, value)
    with database.write() as session:
        store(session, made)
        if changes:
            session.add(attempt(made, 1, 1000))
    with database.read() as session:
        assert longest_drains(session) == {}
        assert one(session, made) == (0.0 if "cursor_seq" in changes else None)


def test_only_those_for_which_most_waits_are_looked_at(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "_LOOKED_AT", 1)
    few, many = make("ada", head=2, cursor=0), make("eve", head=9, cursor=0)
    with database.write() as session:
        store(session, few, many)
        session.add_all([attempt(few, 1, 60_000), attempt(many, 1, 1000)])
    with database.read() as session:
        assert longest_drains(session) == {"baselime.events": 9.0}
