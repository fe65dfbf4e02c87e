"""A test goes each way once, now, and stands among what was told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Never, cast

import pytest
from sqlalchemy import select
from werkzeug import Response

from tests.core.notices.conftest import MakeConnection
from tests.receivers import App, Mailbox
from webapp.core import connections, notices
from webapp.core.audit import HITCHPOST
from webapp.core.notices import Tried, sending
from webapp.core.queries.errands import ErrandQuery, ErrandState, Way, count_errands, list_errands
from webapp.core.queries.health import list_notices
from webapp.core.runtime import Runtime
from webapp.errors import NotFound
from webapp.models import AuditLine, Errand, User

Errands = Callable[[], list[Errand]]


def test_it_reaches_every_admin_and_the_host_app_at_once(
    house: Runtime, app: App, mailbox: Mailbox, errands: Errands
) -> None:
    assert notices.send_test(house) == [Tried("alice@example.org", True, "taken"), Tried(None, True, "taken")]
    assert (mailbox.receivers, app.types) == (["alice@example.org"], ["hitchpost.test"])
    assert mailbox.mails[0]["Subject"] == "A test"
    assert {(one.state, one.tries) for one in errands()} == {(ErrandState.SENT, 1)}
    with house.database.read() as session:
        assert list_notices(session, everybody=True) == ()
    assert notices.sweep(house) == 0


def test_it_reaches_the_one_who_is_named_and_nobody_who_is_not_here(
    house: Runtime, mailbox: Mailbox, make_connection: MakeConnection
) -> None:
    make_connection("acme", email="bob@example.org")
    notices.send_test(house, "Bob@example.org")
    assert mailbox.receivers == ["bob@example.org"]
    with pytest.raises(NotFound, match=r"eve@example\.org"):
        notices.send_test(house, "eve@example.org")


def test_one_that_is_refused_says_why_and_is_not_tried_for_days(
    house: Runtime, app: App, mailbox: Mailbox, errands: Errands
) -> None:
    app.answers, mailbox.replies = [Response(status=401)], ["451 later"]
    tried = notices.send_test(house)
    assert [(one.sent, one.words) for one in tried] == [(False, "later"), (False, "answered 401")]
    assert {one.state for one in errands()} == {ErrandState.GIVEN_UP}


def test_where_nothing_is_set_up_there_is_nothing_to_try(house: Runtime) -> None:
    bare = replace(house, mailer=None, settings=house.settings.model_copy(update={"webhook_url": ""}))
    assert notices.send_test(bare) == []


def test_one_that_a_page_asks_for_is_sent_by_a_worker(house: Runtime, app: App, mailbox: Mailbox) -> None:
    with house.database.write() as session:
        alice = session.scalars(select(User.id)).one()
        notices.ask_test(session, HITCHPOST, notices.ways_set_up(house), [alice])
    assert mailbox.mails == []
    assert notices.sweep(house) == 2
    assert (mailbox.receivers, app.types) == (["alice@example.org"], ["hitchpost.test"])
    with house.database.read() as session:
        assert session.scalars(select(AuditLine.act)).all() == ["notices.tested"]


def test_an_errand_that_trips_our_own_code_waits_and_keeps_nobody_up(
    house: Runtime, app: App, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trip(*_: object) -> Never:
        raise ZeroDivisionError

    monkeypatch.setitem(cast("dict[Way, object]", sending._CARRIERS), Way.MAIL, trip)
    tried = notices.send_test(house)
    assert [(one.sent, one.words) for one in tried] == [
        (False, "our own code failed at it (ZeroDivisionError)"),
        (True, "taken"),
    ]


def test_what_was_told_is_listed_with_what_was_answered_and_by_any_of_its_traits(
    house: Runtime, app: App, make_connection: MakeConnection
) -> None:
    app.answers = [Response(status=503)]
    made = [make_connection(name) for name in ("acme", "birch")]
    with house.database.write() as session:
        for connection in made:
            connections.pause(session, HITCHPOST, connection.id)
    notices.sweep(house)
    notices.send_test(house)
    with house.database.read() as session:
        everything = list_errands(session, ErrandQuery())
        assert count_errands(session) == {ErrandState.WAITING: 2, ErrandState.SENT: 2}
        for query, number in (
            (ErrandQuery(state=ErrandState.SENT), 2),
            (ErrandQuery(way=Way.MAIL), 1),
            (ErrandQuery(kind="connection.paused"), 2),
            (ErrandQuery(connection_id=made[1].id), 1),
            (ErrandQuery(way=Way.MAIL, state=ErrandState.WAITING), 0),
        ):
            assert len(list_errands(session, query).rows) == number, query
        first = list_errands(session, ErrandQuery(limit=3))
        rest = list_errands(session, ErrandQuery(limit=3, after=first.next))
    assert first.rows + rest.rows == everything.rows
    tried = next(row for row in everything.rows if row.tries and row.connection == "acme")
    assert (tried.status, tried.answer, tried.to) == (503, "answered 503", None)
    assert tried.text == "Paused by a person."
