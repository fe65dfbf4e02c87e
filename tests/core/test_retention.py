"""Retention: what is old and passed goes, what still waits stays, what waited too long is given up."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from tests.forwarding import ACTOR, SINGLE, Yard, postgres_yard_url, sqlite_yard_url, yard
from webapp.core import connections, destinations, retention
from webapp.lib import clock
from webapp.models import Attempt, AttemptOutcome, Destination, Event, Hold, Notice, Stream

__all__ = ["postgres_yard_url", "sqlite_yard_url", "yard"]


def age(yard: Yard, days: float, *, up_to: int = 10**9) -> None:
    """The events up to a seq were accepted so many days ago."""
    moment = clock.now() - timedelta(days=days)
    yard.change(update(Event).where(Event.seq <= up_to).values(accepted_at=moment))


def kept(yard: Yard) -> tuple[int, int]:
    """How many events are kept, and the tail."""
    with yard.runtime.database.read() as session:
        count = session.scalar(select(func.count()).select_from(Event))
        return count or 0, session.scalars(select(Stream.tail_seq)).one()


def test_old_events_that_all_have_passed_go_and_young_ones_stay(yard: Yard) -> None:
    yard.destination()
    yard.accept(*"abcde")
    yard.drain()
    age(yard, 8, up_to=3)
    retention.sweep(yard.runtime)
    assert kept(yard) == (2, 4)
    yard.assert_ledgers_are_exact()
    yard.accept("f")
    yard.drain()
    assert yard.inbox.ids == [*"abcdef"]


def test_what_a_destination_has_not_passed_stays_however_old(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    yard.forward(environment_id)
    slow = yard.forward(environment_id, SINGLE.name)
    yard.accept("a")
    yard.drain()
    with yard.runtime.database.write() as session:
        destinations.hold(session, slow, Hold.PAUSED, "x")
    yard.accept("b", "c")
    yard.drain()
    age(yard, 20)
    retention.sweep(yard.runtime)
    assert kept(yard) == (2, 2)
    connections.disconnect(yard.runtime, ACTOR, yard.connection(slow).id)
    retention.sweep(yard.runtime)
    assert kept(yard) == (0, 4), "a closed destination reads no more"


def test_events_of_a_user_without_destinations_go_when_they_are_old(yard: Yard) -> None:
    yard.user()
    yard.accept("a", "b")
    age(yard, 8, up_to=1)
    retention.sweep(yard.runtime)
    assert kept(yard) == (1, 2)


def test_an_identity_lives_as_long_as_its_event(yard: Yard) -> None:
    yard.user()
    yard.accept("a")
    age(yard, 3.1)
    retention.sweep(yard.runtime)
    assert yard.accept("a")[0].endswith("-1")


def held(yard: Yard, days: float) -> UUID:
    destination_id = yard.destination()
    yard.accept("a", "b")
    with yard.runtime.database.write() as session:
        destinations.hold(session, destination_id, Hold.PAUSED, "x")
    yard.change(update(Destination).values(held_at=clock.now() - timedelta(days=days)))
    return destination_id


def test_the_owner_is_warned_once_a_week_before_anything_expires(yard: Yard) -> None:
    held(yard, 24)
    age(yard, 40)
    for _ in range(2):
        retention.sweep(yard.runtime)
    with yard.runtime.database.read() as session:
        assert session.scalars(select(Notice.kind)).all() == ["destination.expiry"]
        row = session.scalars(select(Destination)).one()
    assert (row.expired, row.cursor_seq) == (0, 0)


@pytest.mark.parametrize(
    ("days", "since_warned", "warned", "expired"),
    [
        (22.99, None, 0, 0),
        (23.01, None, 1, 0),
        (29.99, 6.98, 1, 0),
        (30.01, 7.0, 1, 2),
        (30.01, 6.99, 1, 0),
        (40, None, 1, 0),  # nobody looked for weeks: it is announced first
    ],
)
def test_the_warning_comes_at_23_days_and_the_end_at_30_and_a_week_after_it(
    yard: Yard, days: float, since_warned: float | None, warned: int, expired: int
) -> None:
    held(yard, days)
    age(yard, 40)
    if since_warned is not None:
        warn(yard, since_warned)
    retention.sweep(yard.runtime)
    with yard.runtime.database.read() as session:
        told = session.scalar(select(func.count()).where(Notice.kind == "destination.expiry"))
        assert (told, session.scalars(select(Destination.expired)).one()) == (warned, expired)
    yard.assert_ledgers_are_exact()


def warn(yard: Yard, days: float) -> None:
    """The owner was warned so many days ago."""
    retention.sweep(yard.runtime)
    yard.change(update(Notice).values(created_at=clock.now() - timedelta(days=days)))


def test_what_is_given_up_is_on_the_destinations_timeline(yard: Yard) -> None:
    destination_id = held(yard, 31)
    age(yard, 40)
    warn(yard, 8)
    retention.sweep(yard.runtime)
    assert yard.outcomes(destination_id) == [(AttemptOutcome.EXPIRED, 2, 0)]
    assert "30 days" in (yard.attempts(destination_id)[0].words or "")


def test_after_thirty_days_what_waited_as_long_expires_and_the_ledger_counts_it(yard: Yard) -> None:
    held(yard, 31)
    age(yard, 30.5, up_to=1)
    warn(yard, 8)
    retention.sweep(yard.runtime)
    with yard.runtime.database.read() as session:
        row = session.scalars(select(Destination)).one()
    assert (row.expired, row.cursor_seq, row.hold) == (1, 1, Hold.PAUSED)
    yard.assert_ledgers_are_exact()
    assert kept(yard) == (1, 2)


def test_a_destination_that_is_not_held_expires_nothing(yard: Yard) -> None:
    yard.destination()
    yard.accept("a")
    age(yard, 90)
    retention.sweep(yard.runtime)
    yard.drain()
    assert yard.inbox.ids == ["a"]


def test_old_attempts_are_forgotten(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a")
    yard.drain()
    retention.sweep(yard.runtime)
    assert len(yard.attempts(destination_id)) == 1
    yard.change(update(Attempt).values(ended_at=clock.now() - timedelta(days=31)))
    retention.sweep(yard.runtime)
    assert yard.attempts(destination_id) == []
