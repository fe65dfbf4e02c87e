"""Turns: what waits is sent in order, and the ledger knows it."""

from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from tests.forwarding import SINGLE, Yard, status
from webapp.core.delivery import holding
from webapp.core.delivery.turns import take_turn
from webapp.core.streams.leases import lease_next
from webapp.errors import VendorUnavailable
from webapp.lib import clock
from webapp.lib.http import Response
from webapp.models import (
    AttemptOutcome,
    ConnectionState,
    Destination,
    Event,
    Hold,
    Notice,
)

D = AttemptOutcome.DELIVERED


def test_events_arrive_in_order_once_and_the_destination_rests(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a", "b")
    yard.accept("c")
    assert yard.drain() == 1
    assert yard.inbox.ids == ["a", "b", "c"]
    row = yard.row(destination_id)
    assert (row.cursor_seq, row.delivered, row.due_at, row.lease_token) == (3, 3, None, None)
    assert row.last_delivered_at is not None
    assert yard.outcomes(destination_id) == [(D, 3, 1)]
    yard.assert_ledgers_are_exact()


def test_an_event_that_comes_while_others_are_sent_wakes_the_destination(yard: Yard) -> None:
    yard.destination()
    yard.accept("a")
    late = iter(["b"])
    yard.inbox.during = lambda: [yard.accept(name) for name in late] and None
    yard.drain()
    assert yard.inbox.ids == ["a", "b"]


def test_a_destination_that_trips_our_own_code_waits_and_says_so_while_others_go_on(yard: Yard) -> None:
    user_id = yard.user()
    made = [yard.forward(yard.environment(user_id, f"env-{one}", key=f"key-{one}")) for one in range(2)]
    yard.accept("a")
    trips = iter([True])

    def during() -> None:
        if next(trips, False):
            raise ZeroDivisionError

    yard.inbox.during = during
    yard.drain()
    rows = sorted((yard.row(one) for one in made), key=lambda row: row.failures)
    assert [(row.failures, row.delivered) for row in rows] == [(0, 1), (1, 0)]
    assert rows[1].reason == "our own code failed here (ZeroDivisionError)"
    assert (rows[1].lease_token, rows[1].hold) == (None, None)
    yard.assert_ledgers_are_exact()


@pytest.mark.parametrize(("hours", "hold"), [(71.9, None), (72.1, Hold.FAILING)])
def test_one_that_trips_our_own_code_for_three_days_stands_still(
    yard: Yard, hours: float, hold: Hold | None
) -> None:
    def during() -> None:
        raise ZeroDivisionError

    destination_id = yard.destination()
    yard.inbox.during = during
    yard.accept("a")
    yard.drain()
    since = clock.now() - timedelta(hours=hours)
    yard.change(update(Destination).values(failing_since=since))
    yard.drain(hastened=1)
    row = yard.row(destination_id)
    assert (row.hold, row.cursor_seq) == (hold, 0)
    assert (row.due_at is None) is (hold is not None)
    with yard.runtime.database.read() as session:
        told = [(notice.kind, "on this side" in notice.text) for notice in session.scalars(select(Notice))]
    assert told == ([(f"destination.{hold.value}", True)] if hold else [])


def test_several_destinations_of_a_user_all_get_everything(yard: Yard) -> None:
    user_id = yard.user()
    for number in range(3):
        yard.forward(yard.environment(user_id, f"env-{number}", key=f"key-{number}"))
    yard.accept("a", "b")
    yard.drain()
    for number in range(3):
        assert [event["id"] for key, event in yard.inbox.taken if key == f"key-{number}"] == ["a", "b"]
    yard.assert_ledgers_are_exact()


def test_nobody_elses_events_are_sent(yard: Yard) -> None:
    yard.destination(who="ada")
    yard.user("bob")
    yard.accept("private", user="bob")
    assert yard.drain() == 0
    assert yard.inbox.requests == []


def test_unwanted_types_are_passed_over_and_counted(yard: Yard) -> None:
    destination_id = yard.destination(types="deploy* *.done")
    for name, kind in [
        ("1", "deployment"),
        ("2", "alert"),
        ("3", "x.done"),
        ("4", "deployed"),
        ("5", "done"),
    ]:
        yard.accept(name, type=kind)
    yard.drain()
    assert yard.inbox.ids == ["1", "3", "4"]
    row = yard.row(destination_id)
    assert (row.delivered, row.filtered, row.cursor_seq) == (3, 2, 5)
    yard.assert_ledgers_are_exact()


def test_a_destination_that_wants_none_of_it_makes_no_request(yard: Yard) -> None:
    destination_id = yard.destination(types="nothing")
    yard.accept(*[f"e{number}" for number in range(30)])
    assert yard.drain() == 0
    row = yard.row(destination_id)
    assert (row.filtered, row.due_at, row.cursor_seq) == (30, None, 30)


def test_a_large_backlog_goes_out_in_batches_of_no_more_than_the_vendor_takes(yard: Yard) -> None:
    yard.destination()
    for part in range(3):
        yard.accept(*[f"{part}-{number}" for number in range(900)])
    assert yard.drain() == 3
    assert [len(request) for request in yard.inbox.requests] == [1000, 1000, 700]
    assert len(set(yard.inbox.ids)) == 2700
    yard.assert_ledgers_are_exact()


def test_large_events_go_out_in_requests_below_the_vendors_bytes(yard: Yard) -> None:
    yard.destination()
    for number in range(30):
        yard.accept(str(number), data={"x": "y" * 250_000})
    yard.drain()
    assert yard.inbox.ids == [str(number) for number in range(30)]
    assert max(len(request) for request in yard.inbox.requests) <= 23


def test_a_turn_ends_after_five_batches_and_others_come_first(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "TURN_SECONDS", 60.0)
    busy = yard.destination(who="busy")
    for part in range(8):
        yard.accept(*[f"{part}-{number}" for number in range(1000)], user="busy")
    with yard.runtime.database.write() as session:
        lease = lease_next(session, "here")
    assert lease is not None
    assert take_turn(yard.runtime, lease) == 5
    row = yard.row(busy)
    assert (row.cursor_seq, row.lease_token) == (5000, None)
    assert row.due_at is not None
    yard.drain()
    assert len(yard.inbox.ids) == 8000


@pytest.mark.parametrize(("kind", "requests"), [("baselime.events", [1000] * 3), (SINGLE.name, [1] * 120)])
def test_however_little_time_a_turn_has_it_gets_something_done(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, kind: str, requests: list[int]
) -> None:
    monkeypatch.setattr(holding, "TURN_SECONDS", 0.0)
    yard.destination(kind)
    yard.accept(*[str(number) for number in range(min(1000, sum(requests)))])
    for more in range(1, sum(requests) // 1000):
        yard.accept(*[f"{more}-{number}" for number in range(1000)])
    yard.drain()
    assert [len(request) for request in yard.inbox.requests] == requests


def test_a_vendor_of_single_events_gets_them_one_by_one_in_order_and_few_settles(yard: Yard) -> None:
    destination_id = yard.destination(SINGLE.name)
    names = [str(number) for number in range(120)]
    yard.accept(*names)
    assert yard.drain() == 120
    assert yard.inbox.ids == names
    assert yard.inbox.requests == [[name] for name in names]
    assert yard.outcomes(destination_id) == [(D, 120, 120)]
    yard.assert_ledgers_are_exact()


def test_a_good_run_is_one_attempt_and_a_new_outcome_begins_another(yard: Yard) -> None:
    destination_id = yard.destination()
    for name in "abc":
        yard.accept(name)
        yard.drain()
    yard.inbox.say = [status(503)]
    yard.accept("d")
    yard.drain(hastened=1)
    runs = yard.attempts(destination_id)
    assert yard.outcomes(destination_id) == [(D, 3, 3), (AttemptOutcome.RETRY, 1, 1), (D, 1, 1)]
    assert [(run.first_seq, run.last_seq, run.status) for run in runs] == [
        (1, 3, 202),
        (4, 4, 503),
        (4, 4, 202),
    ]


# ---- failing and trying again


@pytest.mark.parametrize("code", [500, 502, 503, 504, 404, 405, 301, 302, 308, 408, 418])
def test_what_is_no_fault_of_the_events_is_tried_again_and_nothing_is_lost(yard: Yard, code: int) -> None:
    destination_id = yard.destination()
    yard.inbox.say = [status(code, b"<html>no</html>")]
    yard.accept("a")
    yard.drain()
    row = yard.row(destination_id)
    assert (row.cursor_seq, row.failures, row.hold, row.unsure) == (0, 1, None, False)
    assert row.due_at is not None
    assert row.failing_since is not None
    assert row.reason == "<html>no</html>"
    yard.drain(hastened=1)
    row = yard.row(destination_id)
    assert yard.inbox.ids == ["a"]
    assert (row.failures, row.failing_since, row.reason, row.due_at) == (0, None, None, None)


def test_events_that_come_while_a_destination_waits_do_not_hasten_it_and_go_out_in_order(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.inbox.say = [status(503, retry_after="60")]
    yard.accept("a")
    yard.drain()
    due = yard.row(destination_id).due_at
    yard.accept("b")
    assert yard.row(destination_id).due_at == due
    assert yard.drain(hastened=1) == 1
    assert yard.inbox.ids == ["a", "b"]


def dated(batch: list[dict[str, Any]]) -> Response:
    """To be tried again two minutes later, told as a date."""
    moment = format_datetime(clock.now() + timedelta(seconds=120), usegmt=True)
    return status(503, retry_after=moment)(batch)


@pytest.mark.parametrize(
    ("answer", "least", "most"),
    [
        (status(429, retry_after="120"), 120, 120),
        (status(503, retry_after="120"), 120, 120),
        (dated, 118, 120),
        (status(429, retry_after="999999"), 3600, 3600),
        (status(429), 6, 60),  # the first step of the yard's ladder
        (status(500), 6, 60),  # the first step of the yard's ladder
        (status(429, retry_after="-5"), 6, 60),  # the first step of the yard's ladder
        (status(429, retry_after="soon"), 6, 60),  # the first step of the yard's ladder
        (status(429, retry_after="0"), 6, 60),  # the first step of the yard's ladder
    ],
)
def test_a_vendors_wish_to_wait_is_obeyed_within_an_hour(
    yard: Yard, answer: object, least: float, most: float
) -> None:
    destination_id = yard.destination()
    yard.inbox.say = [answer]  # type: ignore[list-item]  # a Say
    yard.accept("a")
    before = clock.now()
    yard.drain()
    due = yard.row(destination_id).due_at
    assert due is not None
    assert least <= (due - before).total_seconds() <= most + (clock.now() - before).total_seconds()


def test_a_lost_answer_is_sent_again_and_said_to_be_possibly_delivered(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.inbox.lose()
    yard.accept("a", "b")
    yard.drain()
    assert yard.row(destination_id).unsure
    yard.accept("c")
    yard.drain(hastened=1)
    assert yard.inbox.ids == ["a", "b", "a", "b", "c"]
    assert not yard.row(destination_id).unsure
    assert yard.outcomes(destination_id) == [(AttemptOutcome.POSSIBLY_DELIVERED, 2, 1), (D, 3, 1)]
    yard.assert_ledgers_are_exact()


def test_a_vendor_that_was_never_reached_leaves_no_doubt(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.inbox.say = [VendorUnavailable("no connection could be made", sent=False)]
    yard.accept("a")
    yard.drain()
    assert not yard.row(destination_id).unsure
    assert yard.outcomes(destination_id) == [(AttemptOutcome.RETRY, 1, 1)]


def test_a_vendor_that_keeps_failing_is_asked_for_less_at_a_time_and_for_more_once_it_mends(
    yard: Yard,
) -> None:
    yard.destination()
    yard.accept(*[str(number) for number in range(8)])
    yard.inbox.say = [status(500)] * 5
    yard.drain(hastened=5)
    assert [len(request) for request in yard.inbox.requests] == [8, 8, 8, 4, 2, 1, 2, 4, 1]
    assert yard.inbox.ids == [str(number) for number in range(8)]


def test_after_five_failures_the_connection_is_degraded_and_it_recovers_by_itself(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.inbox.say = [status(500, b"Internal Error")] * 5
    yard.accept("a")
    yard.drain(hastened=4)
    connection = yard.connection(destination_id)
    assert connection.state is ConnectionState.DEGRADED
    assert connection.reason is not None
    assert "Internal Error" in connection.reason
    yard.drain(hastened=1)
    assert yard.connection(destination_id).state is ConnectionState.ACTIVE
    assert yard.inbox.ids == ["a"]


def test_after_72_hours_without_a_success_it_stands_still_its_owner_is_told_and_nothing_is_lost(
    yard: Yard,
) -> None:
    destination_id = yard.destination()
    yard.inbox.always = status(500, b"Internal Error")
    yard.accept("a", "b")
    yard.drain()
    long_ago = clock.now() - timedelta(hours=72, seconds=1)
    yard.change(update(Destination).values(failing_since=long_ago))
    yard.hasten()
    yard.drain()
    row = yard.row(destination_id)
    assert (row.hold, row.due_at, row.cursor_seq) == (Hold.FAILING, None, 0)
    assert row.held_at is not None
    assert yard.connection(destination_id).state is ConnectionState.DEGRADED
    with yard.runtime.database.read() as session:
        notice = session.scalars(select(Notice)).one()
    assert "72 hours" in notice.text
    yard.accept("c")
    assert yard.drain(hastened=1) == 0
    yard.assert_ledgers_are_exact()


def test_a_success_ends_the_count_of_72_hours(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.inbox.say = [status(500)]
    yard.accept("a")
    yard.drain()
    yard.change(update(Destination).values(failing_since=clock.now() - timedelta(hours=100)))
    yard.inbox.manner = "refuses"
    yard.drain(hastened=1)
    assert yard.inbox.ids == ["a"]
    yard.inbox.say = [status(500)]
    yard.accept("b")
    yard.drain()
    assert yard.row(destination_id).hold is None


def test_a_gap_in_the_stream_stops_the_destination_and_admins_are_told(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a", "b", "c")
    yard.change(delete(Event).where(Event.seq == 2))
    yard.drain()
    row = yard.row(destination_id)
    assert (row.cursor_seq, yard.inbox.requests) == (0, [])
    assert row.reason is not None
    assert "missing" in row.reason
    with yard.runtime.database.read() as session:
        notice = session.scalars(select(Notice)).one()
    assert (notice.kind, notice.user_id) == ("stream.gap", None)
    assert yard.connection(destination_id).state is ConnectionState.DEGRADED


@pytest.mark.parametrize("missing", [1, 3])
def test_a_gap_at_either_end_is_seen_too(yard: Yard, missing: int) -> None:
    destination_id = yard.destination()
    yard.accept("a", "b", "c")
    yard.change(delete(Event).where(Event.seq == missing))
    yard.drain()
    assert (yard.row(destination_id).cursor_seq, yard.inbox.requests) == (0, [])
