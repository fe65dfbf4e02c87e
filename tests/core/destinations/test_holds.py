"""Holds: a destination stands still and goes on, and no event is lost or sent out of turn."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import update

from tests.forwarding import ACTOR, SINGLE, Yard, status
from webapp.core import connections, destinations
from webapp.core.streams.leases import lease_next
from webapp.errors import NotFound
from webapp.models import AttemptOutcome, Destination, Hold


def hold(yard: Yard, destination_id: UUID, why: Hold = Hold.PAUSED) -> None:
    with yard.runtime.database.write() as session:
        destinations.hold(session, destination_id, why, "Paused by a person.")


def release(yard: Yard, destination_id: UUID) -> None:
    with yard.runtime.database.write() as session:
        destinations.release(session, ACTOR, destination_id)


def test_a_held_destination_sends_nothing_and_then_everything(yard: Yard) -> None:
    destination_id = yard.destination()
    hold(yard, destination_id)
    yard.accept("a", "b")
    assert yard.rung == []
    assert yard.drain(hastened=1) == 0
    row = yard.row(destination_id)
    assert (row.hold, row.reason) == (Hold.PAUSED, "Paused by a person.")
    assert row.held_at is not None
    release(yard, destination_id)
    yard.drain()
    assert yard.inbox.ids == ["a", "b"]
    row = yard.row(destination_id)
    assert (row.hold, row.held_at, row.reason) == (None, None, None)


def test_a_hold_that_is_there_stays(yard: Yard) -> None:
    destination_id = yard.destination()
    hold(yard, destination_id, Hold.KEY_REFUSED)
    hold(yard, destination_id)
    assert yard.row(destination_id).hold is Hold.KEY_REFUSED


def test_releasing_what_is_not_held_changes_nothing(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.inbox.always = status(503)
    yard.accept("a")
    yard.drain()
    due = yard.row(destination_id).due_at
    release(yard, destination_id)
    assert yard.row(destination_id).due_at == due


def test_a_pause_during_a_request_keeps_its_answer_and_sends_nothing_twice(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a")
    holds = iter([1])
    yard.inbox.during = lambda: [hold(yard, destination_id) for _ in holds] and None
    yard.drain()
    row = yard.row(destination_id)
    assert (row.cursor_seq, row.delivered, row.hold, row.due_at, row.lease_token) == (
        1,
        1,
        Hold.PAUSED,
        None,
        None,
    )
    yard.accept("b")
    release(yard, destination_id)
    yard.drain()
    assert yard.inbox.ids == ["a", "b"]


def test_a_pause_during_a_request_that_fails_stays_a_pause(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a")
    yard.inbox.say = [status(503)]
    yard.inbox.during = lambda: hold(yard, destination_id)
    yard.drain(hastened=1)
    row = yard.row(destination_id)
    assert (row.hold, row.due_at, row.lease_token) == (Hold.PAUSED, None, None)


def test_a_pause_ends_a_turn_of_single_events_soon(yard: Yard) -> None:
    destination_id = yard.destination(SINGLE.name)
    yard.accept(*[str(number) for number in range(200)])
    holds = iter([1])
    yard.inbox.during = lambda: [hold(yard, destination_id) for _ in holds] and None
    yard.drain()
    assert 1 <= len(yard.inbox.requests) <= 50
    row = yard.row(destination_id)
    assert row.cursor_seq == row.delivered == len(yard.inbox.ids)
    yard.assert_ledgers_are_exact()


def test_a_release_while_somebody_still_holds_the_lease_gives_no_second_one(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a")
    with yard.runtime.database.write() as session:
        assert lease_next(session, "frozen") is not None
    hold(yard, destination_id)
    release(yard, destination_id)
    with yard.runtime.database.write() as session:
        assert lease_next(session, "other") is None
    due = yard.row(destination_id).due_at
    assert due is not None
    assert due > datetime.now(UTC)


def test_a_lease_left_behind_under_a_hold_is_noticed_after_the_release(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a")
    with yard.runtime.database.write() as session:
        lease_next(session, "gone")
    hold(yard, destination_id)
    release(yard, destination_id)
    yard.change(update(Destination).values(due_at=datetime(2020, 1, 1, tzinfo=UTC)))
    yard.drain()
    assert [run.outcome for run in yard.attempts(destination_id)] == [
        AttemptOutcome.INTERRUPTED,
        AttemptOutcome.DELIVERED,
    ]


def test_pausing_a_connection_pauses_what_is_not_held_and_resuming_releases_that_alone(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    one, other = yard.forward(environment_id), yard.forward(environment_id, SINGLE.name)
    connection_id = yard.connection(one).id
    hold(yard, other)
    with yard.runtime.database.write() as session:
        connections.pause(session, ACTOR, connection_id)
    assert (yard.row(one).hold, yard.row(other).hold) == (Hold.PAUSED, Hold.PAUSED)
    release(yard, one)
    assert yard.row(one).hold is Hold.PAUSED, "its connection is paused"
    with yard.runtime.database.write() as session:
        connections.resume(session, ACTOR, connection_id)
    assert (yard.row(one).hold, yard.row(other).hold) == (None, Hold.PAUSED)


def test_a_new_key_under_a_paused_connection_does_not_start_it(yard: Yard) -> None:
    destination_id = yard.destination()
    hold(yard, destination_id, Hold.KEY_REFUSED)
    connection_id = yard.connection(destination_id).id
    with yard.runtime.database.write() as session:
        connections.pause(session, ACTOR, connection_id)
    release(yard, destination_id)
    assert yard.row(destination_id).hold is Hold.PAUSED
    with yard.runtime.database.write() as session:
        connections.resume(session, ACTOR, connection_id)
    assert yard.row(destination_id).hold is None


def test_a_disconnect_closes_its_destinations_whatever_they_were(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    one, other = yard.forward(environment_id), yard.forward(environment_id, SINGLE.name)
    hold(yard, other)
    yard.accept("a")
    connections.disconnect(yard.runtime, ACTOR, yard.connection(one).id)
    for destination_id in (one, other):
        row = yard.row(destination_id)
        assert (row.hold, row.due_at) == (Hold.DISCONNECTED, None)
        assert row.closed_at is not None
    yard.accept("b")
    assert yard.drain(hastened=1) == 0


def test_an_unknown_destination_is_not_found(yard: Yard) -> None:
    with pytest.raises(NotFound):
        hold(yard, yard.user())
