"""Rewinding: a part of the stream goes out again, and the ledger knows how much."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, update

from tests.forwarding import ACTOR, Yard
from webapp.core import destinations
from webapp.errors import Conflict, Invalid
from webapp.lib import clock
from webapp.models import DeadLetterState, Event, Hold, Stream


def rewind(yard: Yard, destination_id: UUID, **to: Any) -> int:
    with yard.runtime.database.write() as session:
        return destinations.rewind(session, ACTOR, destination_id, **to)


def delivered(yard: Yard) -> UUID:
    destination_id = yard.destination()
    yard.accept(*"abcde")
    yard.drain()
    return destination_id


@pytest.mark.parametrize(("to_seq", "again"), [(5, "e"), (3, "cde"), (1, "abcde")])
def test_events_from_a_seq_on_are_sent_again(yard: Yard, to_seq: int, again: str) -> None:
    destination_id = delivered(yard)
    assert rewind(yard, destination_id, to_seq=to_seq) == len(again)
    yard.accept("f")
    yard.drain()
    assert yard.inbox.ids == [*"abcde", *again, "f"]
    row = yard.row(destination_id)
    assert (row.rewound, row.delivered, row.exempt_seq) == (len(again), 6 + len(again), 5)
    yard.assert_ledgers_are_exact()


@pytest.mark.parametrize(
    ("minutes", "again"), [(-60, "abcde"), (0, "abcde"), (1, "bcde"), (3.5, "e"), (4, "e")]
)
def test_events_accepted_since_a_time_are_sent_again(yard: Yard, minutes: float, again: str) -> None:
    destination_id = delivered(yard)
    start = datetime(2026, 1, 31, 12, tzinfo=UTC)
    for seq in range(1, 6):
        yard.change(
            update(Event).where(Event.seq == seq).values(accepted_at=start + timedelta(minutes=seq - 1))
        )
    assert rewind(yard, destination_id, to_time=start + timedelta(minutes=minutes)) == len(again)
    yard.drain()
    assert yard.inbox.ids == [*"abcde", *again]
    yard.assert_ledgers_are_exact()


def test_what_is_no_longer_kept_or_not_yet_sent_cannot_be_rewound_to(yard: Yard) -> None:
    destination_id = delivered(yard)
    yard.change(update(Stream).values(tail_seq=3))
    for to in ({"to_seq": 2}, {"to_seq": 6}, {"to_seq": -1}, {"to_time": datetime(2099, 1, 1, tzinfo=UTC)}):
        with pytest.raises(Invalid) as caught:
            rewind(yard, destination_id, **to)
        assert [fault.where for fault in caught.value.faults] == list(to)
    with pytest.raises(Invalid):
        rewind(yard, destination_id)
    with pytest.raises(Invalid):
        rewind(yard, destination_id, to_seq=3, to_time=datetime(2020, 1, 1, tzinfo=UTC))
    yard.change(update(Stream).values(tail_seq=1))
    yard.assert_ledgers_are_exact()


def test_a_destination_can_be_rewound_to_before_it_began(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    yard.accept("a", "b")
    destination_id = yard.forward(environment_id)
    yard.accept("c")
    yard.drain()
    assert rewind(yard, destination_id, to_seq=1) == 3
    yard.drain()
    assert yard.inbox.ids == ["c", "a", "b", "c"]
    yard.assert_ledgers_are_exact()


def test_a_rewind_during_a_request_disowns_its_answer(yard: Yard) -> None:
    destination_id = delivered(yard)
    yard.accept("f")
    rewinds = iter([4])
    yard.inbox.during = lambda: [rewind(yard, destination_id, to_seq=seq) for seq in rewinds] and None
    yard.drain()
    assert yard.inbox.ids == [*"abcde", "f", *"def"]
    assert yard.row(destination_id).rewound == 2
    yard.assert_ledgers_are_exact()


def test_a_rewind_of_a_held_destination_waits_for_the_release(yard: Yard) -> None:
    destination_id = delivered(yard)
    with yard.runtime.database.write() as session:
        destinations.hold(session, destination_id, Hold.PAUSED, "x")
    rewind(yard, destination_id, to_seq=1)
    assert yard.drain(hastened=1) == 0
    with yard.runtime.database.write() as session:
        destinations.release(session, ACTOR, destination_id)
    yard.drain()
    assert yard.inbox.ids == [*"abcde", *"abcde"]


def test_dead_letters_of_the_range_are_superseded_and_may_die_again(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.inbox.poison = {"b", "d"}
    yard.accept(*"abcde")
    yard.drain()
    rewind(yard, destination_id, to_seq=3)
    yard.inbox.poison = {"d"}
    yard.drain()
    letters = [(letter.seq, letter.state) for letter in yard.dead_letters(destination_id)]
    assert letters == [
        (2, DeadLetterState.OPEN),
        (4, DeadLetterState.SUPERSEDED),
        (4, DeadLetterState.OPEN),
    ]
    assert yard.row(destination_id).dead == 3
    assert yard.inbox.ids == [*"ace", *"ce"]
    yard.assert_ledgers_are_exact()


def backfill(yard: Yard, destination_id: UUID) -> int:
    with yard.runtime.database.write() as session:
        return destinations.backfill(session, ACTOR, destination_id)


def test_a_new_destination_is_backfilled_as_if_it_had_been_made_so(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    yard.accept(*"abc")
    yard.change(delete(Event).where(Event.seq == 1))
    yard.change(update(Stream).values(tail_seq=2))
    destination_id = yard.forward(environment_id, fresh_for="1 h")
    yard.change(update(Event).values(accepted_at=clock.now() - timedelta(days=2)))
    assert backfill(yard, destination_id) == 2
    yard.accept("d")
    assert backfill(yard, destination_id) == 0, "twice is once"
    yard.drain()
    assert yard.inbox.ids == [*"bcd"]
    row = yard.row(destination_id)
    assert (row.origin_seq, row.exempt_seq, row.rewound, row.delivered, row.expired) == (1, 3, 0, 3, 0)
    yard.assert_ledgers_are_exact()


def test_a_backfill_overtakes_the_request_that_is_under_way(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    yard.accept(*"ab")
    destination_id = yard.forward(environment_id)
    yard.accept("c")

    def during() -> None:
        yard.inbox.during = lambda: None
        assert backfill(yard, destination_id) == 2

    yard.inbox.during = during
    yard.drain()
    assert yard.inbox.ids == [*"cabc"]
    yard.assert_ledgers_are_exact()


def test_what_has_settled_events_is_not_backfilled_but_told_to_rewind(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    yard.accept("a")
    destination_id = yard.forward(environment_id, types="none")
    yard.accept("b")
    yard.drain()
    with pytest.raises(Conflict, match="Rewind it to seq 1, the first that is kept"):
        backfill(yard, destination_id)
    assert yard.row(destination_id).origin_seq == 1
