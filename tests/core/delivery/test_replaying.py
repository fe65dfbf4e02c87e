"""Dead letters: sent again by whom it concerns, before the stream goes on, or let go."""

from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import select, update

from tests.forwarding import ACTOR, Yard, status
from webapp.core import connections, dead_letters, destinations
from webapp.core.runtime import Bell
from webapp.models import AttemptOutcome, AuditLine, DeadLetter, DeadLetterState, Destination, Hold

S = DeadLetterState


def with_dead_letters(yard: Yard, *names: str) -> UUID:
    destination_id = yard.destination()
    yard.accept("first")
    yard.drain()
    yard.inbox.poison = set(names)
    yard.accept(*names)
    yard.drain()
    yard.inbox.taken.clear()
    yard.inbox.requests.clear()
    return destination_id


def replay(yard: Yard, destination_id: UUID) -> int:
    with yard.runtime.database.write() as session:
        return dead_letters.replay_all(session, ACTOR, destination_id)


def states(yard: Yard, destination_id: UUID) -> list[DeadLetterState]:
    return [letter.state for letter in yard.dead_letters(destination_id)]


def test_what_was_mended_is_sent_again_before_the_stream_goes_on(yard: Yard) -> None:
    destination_id = with_dead_letters(yard, "a", "b")
    yard.inbox.poison = set()
    assert replay(yard, destination_id) == 2
    yard.accept("new")
    yard.drain()
    assert yard.inbox.ids == ["a", "b", "new"]
    row = yard.row(destination_id)
    assert (row.dead, row.queued, row.due_at, row.delivered) == (2, 0, None, 2)
    assert states(yard, destination_id) == [S.REPLAYED, S.REPLAYED]
    yard.assert_ledgers_are_exact()


def test_an_idle_destination_replays_by_itself(yard: Yard) -> None:
    destination_id = with_dead_letters(yard, "a")
    yard.inbox.poison = set()
    assert yard.row(destination_id).due_at is None
    replay(yard, destination_id)
    yard.drain()
    assert yard.inbox.ids == ["a"]


def test_one_that_is_refused_again_is_open_again_with_the_new_reason(yard: Yard) -> None:
    destination_id = with_dead_letters(yard, "a", "b")
    yard.inbox.poison = {"a"}
    yard.inbox.manner = "refuses"
    replay(yard, destination_id)
    yard.drain()
    assert yard.inbox.ids == ["b"]
    assert states(yard, destination_id) == [S.OPEN, S.REPLAYED]
    assert yard.dead_letters(destination_id)[0].reason == "Bad Request"
    assert yard.row(destination_id).queued == 0
    yard.assert_ledgers_are_exact()


@pytest.mark.parametrize("lost", [False, True])
def test_one_that_meets_a_failing_vendor_stays_queued_and_goes_out_later(yard: Yard, *, lost: bool) -> None:
    destination_id = with_dead_letters(yard, "a", "b")
    yard.inbox.poison = set()
    if lost:
        yard.inbox.lose()
    else:
        yard.inbox.say = [status(503)]
    replay(yard, destination_id)
    yard.drain()
    assert states(yard, destination_id) == [S.QUEUED, S.QUEUED]
    assert yard.row(destination_id).failures == 1
    yard.drain(hastened=1)
    assert yard.inbox.ids == (["a", "a", "b"] if lost else ["a", "b"])
    assert states(yard, destination_id) == [S.REPLAYED, S.REPLAYED]
    assert yard.row(destination_id).failures == 0
    yard.assert_ledgers_are_exact()


def test_a_replay_that_meets_a_refused_key_holds_the_destination_and_stays_queued(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.core.environments.after_key_refused", lambda *_: False)
    destination_id = with_dead_letters(yard, "a")
    yard.inbox.always = status(401)
    replay(yard, destination_id)
    yard.drain(hastened=1)
    assert yard.row(destination_id).hold is Hold.KEY_REFUSED
    assert states(yard, destination_id) == [S.QUEUED]
    assert len(yard.inbox.requests) == 1


def test_a_held_destination_replays_after_its_release(yard: Yard) -> None:
    destination_id = with_dead_letters(yard, "a")
    yard.inbox.poison = set()
    with yard.runtime.database.write() as session:
        destinations.hold(session, destination_id, Hold.PAUSED, "x")
    replay(yard, destination_id)
    assert yard.drain(hastened=1) == 0
    with yard.runtime.database.write() as session:
        destinations.release(session, ACTOR, destination_id)
    yard.drain()
    assert yard.inbox.ids == ["a"]


def test_no_more_than_fifty_go_before_the_stream_has_its_turn(yard: Yard) -> None:
    destination_id = with_dead_letters(yard, *[f"bad-{number:02}" for number in range(60)])
    yard.inbox.poison = set()
    replay(yard, destination_id)
    yard.accept("new")
    yard.drain()
    place = yard.inbox.ids.index("new")
    assert place <= 50
    assert len(yard.inbox.ids) == 61
    assert yard.row(destination_id).queued == 0


def test_a_discarded_one_is_not_sent_even_if_it_was_queued(yard: Yard) -> None:
    destination_id = with_dead_letters(yard, "a", "b", "c")
    letters = yard.dead_letters(destination_id)
    yard.inbox.poison = set()
    with yard.runtime.database.write() as session:
        assert dead_letters.replay(session, ACTOR, [letters[0].id, letters[1].id]) == 2
    with yard.runtime.database.write() as session:
        assert dead_letters.discard(session, ACTOR, [letters[0].id, letters[2].id]) == 2
    assert yard.row(destination_id).queued == 1
    yard.drain()
    assert yard.inbox.ids == ["b"]
    assert states(yard, destination_id) == [S.DISCARDED, S.REPLAYED, S.DISCARDED]
    yard.assert_ledgers_are_exact()


def test_one_discarded_while_it_is_being_sent_stays_discarded(yard: Yard) -> None:
    destination_id = with_dead_letters(yard, "a")
    letter = yard.dead_letters(destination_id)[0]
    yard.inbox.poison = set()
    replay(yard, destination_id)

    def discard() -> None:
        yard.inbox.during = lambda: None
        with yard.runtime.database.write() as session:
            dead_letters.discard(session, ACTOR, [letter.id])

    yard.inbox.during = discard
    yard.drain()
    assert states(yard, destination_id) == [S.DISCARDED]
    assert yard.row(destination_id).queued == 0
    yard.assert_ledgers_are_exact()


def test_what_is_no_longer_open_is_neither_replayed_nor_discarded(yard: Yard) -> None:
    destination_id = with_dead_letters(yard, "a")
    letter = yard.dead_letters(destination_id)[0]
    yard.change(update(DeadLetter).values(state=S.SUPERSEDED))
    with yard.runtime.database.write() as session:
        assert dead_letters.replay(session, ACTOR, [letter.id]) == 0
        assert dead_letters.discard(session, ACTOR, [letter.id]) == 0
    assert yard.row(destination_id).queued == 0


def test_a_closed_destination_replays_nothing(yard: Yard) -> None:
    destination_id = with_dead_letters(yard, "a")
    connections.disconnect(yard.runtime, ACTOR, yard.connection(destination_id).id)
    assert replay(yard, destination_id) == 0
    row = yard.row(destination_id)
    assert (row.queued, row.due_at) == (0, None)


def test_acts_on_dead_letters_are_told_and_their_replays_have_attempts_of_their_own(yard: Yard) -> None:
    destination_id = with_dead_letters(yard, "a")
    yard.inbox.poison = set()
    replay(yard, destination_id)
    yard.accept("new")
    yard.drain()
    with yard.runtime.database.read() as session:
        acts = session.scalars(select(AuditLine.act).order_by(AuditLine.id)).all()
    assert acts[-1] == "dead_letters.replayed"
    last = [(run.outcome, run.first_seq, run.words) for run in yard.attempts(destination_id)][-2:]
    assert last == [
        (AttemptOutcome.DELIVERED, 2, "sent again from its dead letter"),
        (AttemptOutcome.DELIVERED, 3, None),
    ]


def test_a_replay_by_a_holder_that_lost_its_lease_changes_nothing(yard: Yard) -> None:
    destination_id = with_dead_letters(yard, "a")
    yard.inbox.poison = set()
    replay(yard, destination_id)

    def steal() -> None:
        yard.inbox.during = lambda: None
        yard.change(update(Destination).values(lease_token=destination_id))

    yard.inbox.during = steal
    yard.drain()
    assert states(yard, destination_id) == [S.QUEUED]
    assert yard.row(destination_id).queued == 1


def test_all_of_a_destination_are_queued_each_once(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "_BATCH_LETTERS", 2)
    destination_id = with_dead_letters(yard, "a", "b", "c", "d", "e")
    yard.inbox.poison = set()
    yard.rung.clear()
    assert dead_letters.replay_every(yard.runtime, ACTOR, destination_id) == 5
    assert dead_letters.replay_every(yard.runtime, ACTOR, destination_id) == 0
    assert set(yard.rung) == {Bell.DELIVERY}
    yard.drain()
    assert yard.inbox.ids == ["a", "b", "c", "d", "e"]
    yard.assert_ledgers_are_exact()


def test_one_that_is_open_again_meanwhile_is_not_queued_twice(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "_BATCH_LETTERS", 1)
    destination_id = with_dead_letters(yard, "a", "b")
    runtime = replace(yard.runtime, wake=lambda _: yard.drain() and None)
    assert dead_letters.replay_every(runtime, ACTOR, destination_id) == 2
    assert states(yard, destination_id) == [S.OPEN, S.OPEN]
