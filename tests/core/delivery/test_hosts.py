"""A vendor's host that does not answer costs a probe now and then, and one answer lets everything go on."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest.mock import ANY
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.forwarding import Yard, status
from webapp.core import delivery
from webapp.core.delivery import draining, hosts
from webapp.core.runtime import Bell
from webapp.errors import VendorUnavailable
from webapp.lib.database import db_time
from webapp.models import Breaker, ConnectionState, Destination, Hold, Notice

HOST = "events.vendor.test"


@pytest.fixture(autouse=True)
def _probes_wait_for_hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "_BASE_WAIT", 600.0)
    monkeypatch.setattr(hosts, "_CAP_WAIT", 600.0)


def crowd(yard: Yard, count: int = 8) -> list[UUID]:
    """So many people's destinations at the one host, each of whose place is known there."""
    made = [yard.destination(who=f"u{number}") for number in range(count)]
    for number in range(count):
        yard.accept("first", user=f"u{number}")
    yard.drain()
    yard.inbox.requests.clear()
    return made


def probe(yard: Yard) -> None:
    """The time of the next probe has come."""
    yard.change(update(Breaker).values(open_until=db_time()))
    hosts.look_again(yard.runtime)
    yard.drain()


def breaker(yard: Yard) -> Breaker | None:
    with yard.runtime.database.read() as session:
        return session.get(Breaker, (hosts.SCOPE, HOST))


def test_three_failures_of_several_stop_all_and_one_answer_lets_all_go_on(yard: Yard) -> None:
    made = crowd(yard)
    yard.inbox.always = status(503)
    for number in range(len(made)):
        yard.accept("second", user=f"u{number}")
    yard.drain()
    assert not delivery.work_left(yard.runtime)
    down = len(yard.inbox.requests)
    assert down == 3
    assert all(row.awaits_host for row in map(yard.row, made))
    # However often somebody looks: one probe each time the breaker lets one through.
    for probes in (1, 2):
        probe(yard)
        assert len(yard.inbox.requests) == down + probes
    yard.inbox.always = None
    yard.rung.clear()
    probe(yard)
    assert breaker(yard) is None
    assert Bell.DELIVERY in yard.rung
    assert [yard.row(one).due_at for one in made] == [None] * 8
    assert len(yard.inbox.taken) == 16
    assert {row.reason for row in map(yard.row, made)} == {None}
    yard.assert_ledgers_are_exact()


@pytest.mark.parametrize("number", [400, 401, 403, 404, 413, 429])
def test_what_one_destination_is_refused_stops_nobody_else(yard: Yard, number: int) -> None:
    made = crowd(yard, 3)
    yard.inbox.always = status(number)
    for who in range(3):
        yard.accept("second", user=f"u{who}")
    yard.drain(hastened=2)
    assert breaker(yard) is None
    assert not any(row.awaits_host for row in map(yard.row, made))


def test_one_that_fails_alone_stops_nobody_and_is_not_hurried_by_the_others(yard: Yard) -> None:
    made = crowd(yard, 2)
    yard.inbox.poison = {"bad"}
    yard.inbox.manner = "breaks"
    yard.accept("bad", user="u0")
    yard.drain(hastened=4)
    standing = breaker(yard)
    assert standing is not None
    assert standing.charged_by == made[0]
    asked = len(yard.inbox.requests)
    waits = yard.row(made[0]).due_at
    yard.accept("good", user="u1")
    yard.drain()
    assert yard.inbox.requests[asked:] == [["good"]]
    assert yard.row(made[0]).due_at == waits
    assert breaker(yard) is None


def test_a_vendors_wish_to_wait_outlasts_the_hosts_recovery(yard: Yard) -> None:
    made = crowd(yard, 4)
    yard.inbox.say = [status(503, retry_after="3000")]
    yard.inbox.always = status(503)
    for who in range(4):
        yard.accept("second", user=f"u{who}")
    yard.drain()
    patient = next(one for one in made if not yard.row(one).awaits_host)
    yard.inbox.always = None
    probe(yard)
    assert [yard.row(one).due_at is None for one in made] == [one != patient for one in made]
    with yard.runtime.database.read() as session:
        left = select(Destination.due_at > db_time(2900)).where(Destination.id == patient)
        assert session.scalar(left)


def test_each_destination_has_its_own_three_days_though_another_makes_the_probes(yard: Yard) -> None:
    made = crowd(yard, 5)
    yard.inbox.always = status(503)
    for who in range(5):
        yard.accept("second", user=f"u{who}")
    yard.drain()
    asked = len(yard.inbox.requests)
    old = yard.row(made[2])
    yard.change(
        update(Destination)
        .where(Destination.id == old.id)
        .values(failing_since=db_time(-72 * 3600.0), due_at=db_time())
    )
    yard.drain()
    assert len(yard.inbox.requests) == asked
    assert [yard.row(one).hold for one in made] == [None, None, Hold.FAILING, None, None]
    held = yard.connection(old.id)
    assert held.state is ConnectionState.DEGRADED
    with yard.runtime.database.read() as session:
        told = session.scalars(select(Notice.user_id).where(Notice.kind == "destination.failing")).all()
    assert told == [held.user_id]


def test_admins_hear_once_of_a_host_that_is_down_for_long(yard: Yard) -> None:
    crowd(yard, 4)
    yard.inbox.always = status(503)
    for who in range(4):
        yard.accept("second", user=f"u{who}")
    yard.drain()
    yard.change(update(Breaker).values(since=db_time(-20 * 60.0)))
    for _ in range(3):
        probe(yard)
    with yard.runtime.database.read() as session:
        told = session.scalars(select(Notice).where(Notice.kind == "host.down")).one()
    assert told.user_id is None
    assert HOST in told.text


def test_a_host_gone_for_good_is_probed_and_not_stormed(yard: Yard) -> None:
    crowd(yard, 8)
    yard.inbox.say = [VendorUnavailable("its name is unknown")] * 100
    for who in range(8):
        yard.accept("second", user=f"u{who}")
    yard.drain()
    for _ in range(20):
        draining.drain(yard.runtime)
    assert len(yard.inbox.requests) == 3


def test_a_probe_that_hangs_is_joined_by_another_within_seconds(yard: Yard) -> None:
    crowd(yard, 4)
    yard.inbox.always = status(503)
    for who in range(4):
        yard.accept("second", user=f"u{who}")
    yard.drain()
    yard.change(update(Breaker).values(open_until=db_time()))
    with yard.runtime.database.write() as session:
        assert hosts.may_probe(session, HOST)
        assert not hosts.may_probe(session, HOST), "it is under way"
        soon = select(Breaker.open_until <= db_time(5.0)).where(Breaker.key == HOST)
        assert session.scalar(soon)


def test_while_one_looks_how_the_hosts_stand_the_others_go_by_what_is_known(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, looking, go_on = hosts._read, threading.Event(), threading.Event()
    known = hosts.standing(yard.runtime)

    def waits(session: Session) -> hosts.Standing:
        looking.set()
        assert go_on.wait(10)
        return read(session)

    old = replace(known, read_at=known.read_at - 60)
    monkeypatch.setitem(hosts._standings, yard.runtime.process_id, old)
    monkeypatch.setattr(hosts, "_FRESH_SECONDS", 30.0)
    monkeypatch.setattr(hosts, "_read", waits)
    with ThreadPoolExecutor(1) as workers:
        looks = workers.submit(hosts.standing, yard.runtime)
        assert looking.wait(10)
        assert hosts.standing(yard.runtime) == replace(known, read_at=ANY)
        go_on.set()
        assert looks.result() is hosts.standing(yard.runtime)


def test_who_looks_at_a_host_that_is_down_writes_only_when_somebody_is_due_there(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside: list[frozenset[str]] = []
    monkeypatch.setattr(hosts, "_put_aside", lambda _, down: aside.append(down))
    made = crowd(yard)
    yard.inbox.always = status(503)
    for number in range(len(made)):
        yard.accept("second", user=f"u{number}")
    yard.drain()
    assert aside
    yard.change(update(Destination).values(due_at=db_time(600.0)))
    aside.clear()
    hosts.look_again(yard.runtime)
    assert hosts.standing(yard.runtime).down == {HOST}
    assert not aside
