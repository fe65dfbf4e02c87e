"""Poison: an event that is refused is found and parked, given a witness; the rest flows on, in order."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from tests.forwarding import SINGLE, Yard, status
from webapp.lib import clock
from webapp.models import Attempt, AttemptOutcome, ConnectionState, Destination

NAMES = [f"e{number}" for number in range(8)]


def parked(yard: Yard, destination_id: UUID) -> list[int]:
    return [letter.seq for letter in yard.dead_letters(destination_id)]


@pytest.mark.parametrize("at", range(8))
@pytest.mark.parametrize("manner", ["lists", "refuses"])
def test_one_poison_event_anywhere_is_parked_and_every_other_arrives_once_in_order(
    yard: Yard, at: int, manner: str
) -> None:
    destination_id = yard.destination()
    yard.inbox.manner, yard.inbox.poison = manner, {NAMES[at]}
    yard.accept(*NAMES)
    yard.drain(hastened=1)
    assert yard.inbox.ids == [name for name in NAMES if name != NAMES[at]]
    row = yard.row(destination_id)
    assert (row.delivered, row.dead, row.cursor_seq, row.batch_limit) == (7, 1, 8, None)
    letter = yard.dead_letters(destination_id)[0]
    assert (letter.seq, letter.type) == (at + 1, "deployment")
    assert letter.reason
    yard.assert_ledgers_are_exact()


@pytest.mark.parametrize("kind", ["baselime.events", SINGLE.name])
@pytest.mark.parametrize("manner", ["lists", "refuses"])
def test_several_poison_events_are_all_parked(yard: Yard, kind: str, manner: str) -> None:
    destination_id = yard.destination(kind)
    bad = {1, 2, 5}
    yard.inbox.manner, yard.inbox.poison = manner, {NAMES[at] for at in bad}
    yard.accept(*NAMES)
    yard.drain(hastened=1)
    assert yard.inbox.ids == [name for at, name in enumerate(NAMES) if at not in bad]
    assert parked(yard, destination_id) == [2, 3, 6]
    yard.assert_ledgers_are_exact()


def test_what_was_taken_beside_a_listed_one_is_never_sent_again(yard: Yard) -> None:
    yard.destination()
    yard.inbox.poison = {"e3"}
    yard.accept(*NAMES)
    yard.drain(hastened=2)
    assert yard.inbox.requests == [NAMES]


@pytest.mark.parametrize("manner", ["lists", "refuses"])
@pytest.mark.parametrize("kind", ["baselime.events", SINGLE.name])
def test_without_a_witness_the_destination_is_suspected_and_the_event_kept(
    yard: Yard, manner: str, kind: str
) -> None:
    destination_id = yard.destination(kind)
    yard.inbox.manner, yard.inbox.poison = manner, {"only"}
    yard.accept("only")
    yard.drain(hastened=3)
    row = yard.row(destination_id)
    assert (row.cursor_seq, row.dead, row.hold, row.failures) == (0, 0, None, 4)
    assert yard.connection(destination_id).state is ConnectionState.DEGRADED
    yard.accept("good")
    yard.drain(hastened=1)
    assert yard.inbox.ids == ["good"]
    assert parked(yard, destination_id) == [1]
    assert yard.connection(destination_id).state is ConnectionState.ACTIVE
    yard.assert_ledgers_are_exact()


@pytest.mark.parametrize("kind", ["baselime.events", SINGLE.name])
def test_a_vendor_that_refuses_everything_costs_no_event(yard: Yard, kind: str) -> None:
    """A wrong dataset name answers 400 too."""
    destination_id = yard.destination(kind)
    yard.inbox.always = status(400, b'{"message": "Bad Request"}')
    yard.accept(*NAMES)
    yard.drain(hastened=5)
    row = yard.row(destination_id)
    assert (row.cursor_seq, row.dead, row.hold) == (0, 0, None)
    assert row.due_at is not None
    assert yard.connection(destination_id).state is ConnectionState.DEGRADED
    yard.inbox.always = None
    yard.drain(hastened=1)
    assert yard.inbox.ids == NAMES
    assert yard.connection(destination_id).state is ConnectionState.ACTIVE


def test_a_wish_to_wait_is_obeyed_when_an_event_behind_a_refused_one_meets_it(yard: Yard) -> None:
    destination_id = yard.destination(SINGLE.name)
    yard.accept("first", "second")
    yard.inbox.say = [status(400, b"{}"), status(429, retry_after="600")]
    yard.drain()
    row = yard.row(destination_id)
    assert yard.inbox.requests == [["first"], ["second"]]
    assert (row.cursor_seq, row.dead, row.hold) == (0, 0, None)
    assert row.due_at is not None
    assert row.due_at - clock.now() > timedelta(seconds=590)


def test_a_witness_of_other_settings_is_none(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("good")
    yard.drain()
    yard.inbox.poison, yard.inbox.manner = {"bad"}, "refuses"
    yard.change(update(Destination).values(settings_version=2))
    yard.accept("bad")
    yard.drain()
    assert (yard.row(destination_id).dead, yard.row(destination_id).cursor_seq) == (0, 1)


def test_a_witness_with_another_key_is_none(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("good")
    yard.drain()
    yard.inbox.poison, yard.inbox.manner = {"bad"}, "refuses"
    yard.rekey("key-2")
    yard.accept("bad")
    yard.drain()
    assert (yard.row(destination_id).dead, yard.row(destination_id).cursor_seq) == (0, 1)


def test_with_a_witness_a_lone_refused_event_is_parked_at_once(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("good")
    yard.drain()
    yard.inbox.poison, yard.inbox.manner = {"bad"}, "refuses"
    yard.accept("bad")
    yard.drain()
    assert parked(yard, destination_id) == [2]
    assert yard.row(destination_id).due_at is None


def test_the_order_holds_while_a_witness_is_looked_for(yard: Yard) -> None:
    yard.destination(SINGLE.name)
    yard.inbox.poison, yard.inbox.manner = {"e0", "e1"}, "refuses"
    yard.accept(*NAMES)
    yard.drain(hastened=1)
    assert yard.inbox.ids == NAMES[2:]
    assert yard.inbox.requests == [[name] for name in NAMES]


def test_too_large_a_request_is_halved_and_grows_again(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.inbox.say = [status(413), status(413)]
    yard.accept(*NAMES)
    yard.drain(hastened=1)
    assert yard.inbox.ids == NAMES
    assert [len(request) for request in yard.inbox.requests] == [8, 4, 2, 4, 2]
    assert yard.row(destination_id).dead == 0


@pytest.mark.parametrize("manner", ["breaks", "conflicts", "shuts out"])
def test_an_event_that_alone_fails_is_parked_when_others_there_succeed(yard: Yard, manner: str) -> None:
    destination_id = yard.destination(who="ada")
    yard.destination(who="bob")
    yard.inbox.poison, yard.inbox.manner = {"bad"}, manner
    yard.accept("bad")
    yard.drain(hastened=7)
    yard.change(update(Attempt).values(started_at=clock.now() - timedelta(hours=1, seconds=1)))
    yard.accept("good", user="bob")
    yard.drain(hastened=1)
    assert parked(yard, destination_id) == [1]
    assert yard.inbox.ids == ["good"]
    yard.assert_ledgers_are_exact()


def test_an_event_that_alone_gets_5xx_is_parked_when_the_one_behind_it_gets_through(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.inbox.poison, yard.inbox.manner = {"bad"}, "breaks"
    yard.accept("bad", "good", "better")
    yard.drain(hastened=11)
    last = yard.attempts(destination_id)[-1]
    assert (last.outcome, last.first_seq, last.last_seq) == (AttemptOutcome.RETRY, 1, 1)
    assert last.requests >= 8
    assert yard.row(destination_id).dead == 0, "not before an hour is over"
    yard.change(update(Attempt).values(started_at=clock.now() - timedelta(hours=1, seconds=1)))
    yard.drain(hastened=1)
    assert parked(yard, destination_id) == [1]
    assert yard.inbox.ids == ["good", "better"]


def test_an_address_that_is_not_there_costs_no_event_though_others_succeed(yard: Yard) -> None:
    destination_id = yard.destination(who="ada")
    yard.destination(who="bob")
    yard.inbox.poison, yard.inbox.manner = {"fine"}, "is elsewhere"
    yard.accept("fine")
    yard.drain(hastened=7)
    yard.change(update(Attempt).values(started_at=clock.now() - timedelta(hours=1, seconds=1)))
    yard.accept("good", user="bob")
    yard.drain(hastened=1)
    row = yard.row(destination_id)
    assert (row.dead, row.cursor_seq, row.failures > 7) == (0, 0, True)


def test_a_vendor_that_is_down_for_hours_costs_no_event(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.inbox.always = status(503)
    yard.accept("a", "b")
    yard.drain(hastened=12)
    yard.change(update(Attempt).values(started_at=clock.now() - timedelta(hours=5)))
    yard.drain(hastened=3)
    assert yard.row(destination_id).dead == 0
    yard.inbox.always = None
    yard.drain(hastened=1)
    assert yard.inbox.ids == ["a", "b"]
