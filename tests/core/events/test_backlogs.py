"""A user's backlog has a limit that is told before it bites, and bites nobody else."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.forwarding import Yard, opened_yard, status
from webapp.core.events import backlogs, limits
from webapp.core.queries.backlogs import backlog_of, fullest_backlog
from webapp.errors import BacklogFull, EventsTooFast, Overloaded
from webapp.models import Destination, Event, Notice, Stream, User


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_REMEMBERED_SECONDS", 0.0)


def limited(yard: Yard, **settings: Any) -> None:
    """From now on, and before anything was accepted."""
    yard.runtime = replace(yard.runtime, settings=yard.runtime.settings.model_copy(update=settings))


def backlog(yard: Yard, who: str = "ada") -> backlogs.Load:
    with yard.runtime.database.read() as session:
        user_id = session.scalars(select(User.id).where(User.external_id == who)).one()
        found = backlog_of(yard.runtime, session, user_id)
    return backlogs.Load(found.events, found.bytes)


def waiting_bytes(yard: Yard) -> int:
    with yard.runtime.database.read() as session:
        cursor = select(Destination.cursor_seq).scalar_subquery()
        return sum(len(body) for body in session.scalars(select(Event.body).where(Event.seq > cursor)))


def test_beyond_the_most_events_all_are_refused_until_the_destination_caught_up(yard: Yard) -> None:
    limited(yard, backlog_events=10)
    yard.destination()
    yard.destination(who="bob")
    yard.accept(*"abcdefgh")
    with pytest.raises(BacklogFull, match=r"11 events .* may be 10 events") as caught:
        yard.accept("i", "j", "k")
    assert caught.value.retry_after == backlogs.RETRY_AFTER
    assert backlog(yard).events == 8
    yard.accept("a", "i", "j")  # one is known, two fit
    yard.accept("another", user="bob")
    yard.drain()
    yard.accept(*"klmnopqrst")
    yard.drain()
    assert len(yard.inbox.taken) == 21
    yard.assert_ledgers_are_exact()


def test_what_is_known_is_no_more_to_a_full_backlog(yard: Yard) -> None:
    limited(yard, backlog_events=3)
    yard.destination()
    first = yard.accept(*"abc")
    assert yard.accept("c", "a") == (first[2], first[0])
    assert backlog(yard).events == 3


def test_the_bytes_are_those_that_wait_and_have_a_limit_too(yard: Yard) -> None:
    limited(yard, backlog_bytes=1_000)
    yard.destination()
    yard.accept("a", "b")
    assert backlog(yard) == (2, waiting_bytes(yard))
    yard.drain()
    assert backlog(yard) == (0, 0)
    yard.accept("c")
    yard.inbox.always = status(503)
    yard.accept("d", data={"much": "x" * 400})
    assert backlog(yard) == (2, waiting_bytes(yard))
    with pytest.raises(BacklogFull, match="bytes, and may be"):
        yard.accept("e", data={"much": "x" * 600})


def test_events_without_a_destination_wait_for_nobody(yard: Yard) -> None:
    limited(yard, backlog_events=3)
    yard.user()
    for name in "abcdef":
        yard.accept(name)
    assert backlog(yard).events == 0


def test_from_four_fifths_on_the_user_and_the_admins_are_told_once(yard: Yard) -> None:
    limited(yard, backlog_events=10)
    yard.destination()
    yard.accept(*"abcdefg")
    with yard.runtime.database.read() as session:
        assert session.scalars(select(Notice)).all() == []
    for name in "hij":
        yard.accept(name)
    with yard.runtime.database.read() as session:
        told = session.scalars(select(Notice).where(Notice.kind == "backlog.filling")).all()
        fullest = fullest_backlog(yard.runtime, session)
    assert fullest is not None
    assert (fullest.owner, fullest.share, fullest.nears_limit) == ("ada", 1.0, True)
    assert sorted(one.user_id is None for one in told) == [False, True]
    assert all("8 events" in one.text and "10 events" in one.text for one in told)


def test_far_from_the_limit_accepting_looks_nothing_up(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlogs, "_find_floor", lambda *_: pytest.fail("it was looked up"))
    yard.destination()
    yard.accept(*"abcdefgh")
    with yard.runtime.database.read() as session:
        stream = session.scalars(select(Stream)).one()
        assert stream.bytes_in == sum(len(body) for body in session.scalars(select(Event.body)))


def test_what_was_stored_before_bytes_were_kept_counts_as_none(yard: Yard) -> None:
    yard.destination()
    yard.accept("a", "b")
    yard.change(update(Event).values(bytes_in=None))
    yard.change(update(Stream).values(bytes_in=0))
    yard.accept("c")
    assert backlog(yard).events == 3
    with yard.runtime.database.read() as session:
        assert backlog(yard).bytes == session.scalars(select(Stream.bytes_in)).one()


def test_a_full_backlog_is_not_tried_again_within_a_second(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(yard, backlog_events=2)
    monkeypatch.setattr(limits, "_REMEMBERED_SECONDS", 600.0)
    yard.destination()
    yard.destination(who="bob")
    yard.accept("a", "b")
    with pytest.raises(BacklogFull):
        yard.accept("c")
    monkeypatch.setattr(backlogs, "admit", lambda *_: pytest.fail("it was tried"))
    with pytest.raises(BacklogFull, match="nothing was stored"):
        yard.accept("c")
    monkeypatch.undo()
    yard.accept("d", user="bob")


def test_a_user_may_send_so_many_a_second_and_the_others_do_not_feel_it(yard: Yard) -> None:
    limited(yard, events_per_second=1)
    yard.user()
    yard.user("bob")
    yard.accept(*"abcdefghij")
    with pytest.raises(EventsTooFast, match="1 events a second") as caught:
        yard.accept("k", "l", "m")
    assert 0 < caught.value.retry_after <= 3
    yard.accept("k", user="bob")


def test_with_too_little_free_on_the_disk_nothing_is_taken_and_delivery_goes_on(tmp_path: Path) -> None:
    with opened_yard(f"sqlite:///{tmp_path / 'hitchpost.db'}") as yard:
        yard.destination()
        yard.accept("a")
        limits.of(yard.runtime)._reserve = 10**18
        with pytest.raises(Overloaded, match="nothing was stored") as caught:
            yard.accept("b")
        assert not isinstance(caught.value, BacklogFull)
        yard.drain()
        assert yard.inbox.ids == ["a"]
