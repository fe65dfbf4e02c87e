"""Leases: who lost one changes nothing, and what was left behind is taken over."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update

from tests.forwarding import SINGLE, Yard
from webapp.core import delivery
from webapp.core.streams import leases
from webapp.core.streams.leases import lease_next
from webapp.lib import clock
from webapp.models import (
    AttemptOutcome,
    Destination,
)

D = AttemptOutcome.DELIVERED


def test_a_lease_that_was_left_behind_is_taken_over_and_leaves_an_attempt(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a")
    with yard.runtime.database.write() as session:
        assert lease_next(session, "gone") is not None
    assert yard.drain() == 0, "a lease in force is nobody else's"
    yard.change(update(Destination).values(due_at=datetime(2020, 1, 1, tzinfo=UTC)))
    doubts: list[bool] = []
    yard.inbox.during = lambda: doubts.append(yard.row(destination_id).unsure)
    yard.drain()
    assert yard.inbox.ids == ["a"]
    assert doubts == [True], "a request may have been under way"
    assert yard.outcomes(destination_id) == [(AttemptOutcome.INTERRUPTED, 0, 1), (D, 1, 1)]


def test_a_holder_that_lost_its_lease_changes_nothing(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a")

    def steal() -> None:
        yard.inbox.during = lambda: None
        yard.change(update(Destination).values(lease_token=uuid4()))

    yard.inbox.during = steal
    delivery.drain(yard.runtime, seconds=0.1)
    row = yard.row(destination_id)
    assert (row.cursor_seq, row.delivered) == (0, 0)
    assert yard.attempts(destination_id) == []
    yard.change(update(Destination).values(due_at=datetime(2020, 1, 1, tzinfo=UTC)))
    yard.drain()
    assert yard.inbox.ids == ["a", "a"], "it was sent, and its answer disowned"
    yard.assert_ledgers_are_exact()


def test_voided_leases_are_due_at_once(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a")
    with yard.runtime.database.write() as session:
        lease_next(session, "gone")
    with yard.runtime.database.write() as session:
        leases.void_leases(session)
    yard.drain()
    assert yard.inbox.ids == ["a"]
    assert yard.row(destination_id).lease_token is None


def test_a_lease_is_renewed_before_a_call_that_might_outlive_it(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination_id = yard.destination(SINGLE.name)
    yard.accept("a", "b")
    renewals: list[datetime | None] = []
    monkeypatch.setattr(leases, "_FRESH_SECONDS", 0.0)
    yard.inbox.during = lambda: renewals.append(yard.row(destination_id).due_at)
    yard.drain()
    assert len(renewals) == 2
    assert all(due is not None and due - clock.now() > timedelta(seconds=10) for due in renewals)
    assert renewals[0] != renewals[1]
