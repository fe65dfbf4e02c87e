"""One-time links and the connect sessions they open."""

import threading
from datetime import timedelta

import pytest
import time_machine

from webapp.core import connect_sessions, links, sessions, users
from webapp.core.audit import Actor
from webapp.core.runtime import Runtime
from webapp.errors import Forbidden, Invalid, NotFound
from webapp.lib import clock
from webapp.lib.secret import Secret
from webapp.models import LinkKind, SessionKind

from .conftest import Cast

KEY = Actor.key("abcdefgh")
ALLOWED = ("https://app.example.org", "http://localhost:3000")


def _link(runtime: Runtime, return_to: str | None = None) -> Secret:
    with runtime.database.write() as session:
        return connect_sessions.create(session, KEY, "u_carol", return_to, ALLOWED)[0]


def test_a_link_opens_a_connect_session_for_that_user(runtime: Runtime, cast: Cast) -> None:
    link = _link(runtime, "https://app.example.org/done?x=1")
    with runtime.database.write() as session:
        cookie = connect_sessions.redeem(session, link)
    with runtime.database.read() as session:
        row = sessions.find(session, cookie)
    assert row is not None
    assert (row.user_id, row.kind) == (cast.carol.id, SessionKind.CONNECT)
    assert row.return_to == "https://app.example.org/done?x=1"


def test_of_many_at_once_one_spends_the_link(runtime: Runtime) -> None:
    link = _link(runtime)
    opened: list[Secret] = []
    refused: list[NotFound] = []
    together = threading.Barrier(8)

    def redeem() -> None:
        together.wait()
        try:
            with runtime.database.write() as session:
                opened.append(connect_sessions.redeem(session, link))
        except NotFound as error:
            refused.append(error)

    threads = [threading.Thread(target=redeem) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(opened), len(refused)) == (1, 7)


def test_looking_spends_nothing(runtime: Runtime) -> None:
    link = _link(runtime)
    for _ in range(3):
        with runtime.database.read() as session:
            connect_sessions.look(session, link)
    with runtime.database.write() as session:
        connect_sessions.redeem(session, link)


def test_a_link_ends_after_ten_minutes(runtime: Runtime) -> None:
    link = _link(runtime)
    with (
        time_machine.travel(clock.now() + timedelta(minutes=10, seconds=1), tick=False),
        pytest.raises(NotFound),
        runtime.database.write() as session,
    ):
        connect_sessions.redeem(session, link)


def test_a_link_of_one_kind_is_none_of_another(runtime: Runtime) -> None:
    link = _link(runtime)
    with pytest.raises(NotFound), runtime.database.write() as session:
        links.spend(session, LinkKind.INVITE, link)


def test_a_disabled_user_gets_no_link_and_redeems_none(runtime: Runtime, cast: Cast) -> None:
    link = _link(runtime)
    with runtime.database.write() as session:
        users.disable(session, Actor.user(cast.alice.id), cast.carol.id)
    with pytest.raises(NotFound), runtime.database.write() as session:
        connect_sessions.redeem(session, link)
    with pytest.raises(Forbidden):
        _link(runtime)


@pytest.mark.parametrize(
    "address",
    [
        "https://app.example.org",
        "https://app.example.org:443/a",
        "http://localhost:3000/x#y",
        "HTTPS://app.example.org/",
    ],
)
def test_a_listed_origin_may_be_returned_to(address: str) -> None:
    connect_sessions._check_return_to(address, ALLOWED)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/done",
        "//app.example.org/x",
        "http://app.example.org/",
        "https://app.example.org:444/",
        "https://app.example.org.evil.test/",
        "https://evil.test/https://app.example.org",
        "https://app.example.org@evil.test/",
        "https://user@app.example.org/",
        "https://app.example.org\\@evil.test/",
        "https://evil.test\\.app.example.org/",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://app.example.org/\r\nSet-Cookie: a=b",
        "https://app.example.org/ x",
        "https://аpp.example.org/",
        "https://[::1",
        "https://app.example.org:port/",
        "https://app.example.org/" + "x" * 2000,
    ],
)
def test_nowhere_else_is_returned_to(address: str) -> None:
    with pytest.raises(Invalid) as caught:
        connect_sessions._check_return_to(address, ALLOWED)
    assert [fault.where for fault in caught.value.faults] == ["/return_to"]


def test_an_external_id_is_short_and_printable(runtime: Runtime) -> None:
    for external_id in ("", "  ", "x" * 201, "a\nb", "a\x00b"):
        with pytest.raises(Invalid), runtime.database.write() as session:
            connect_sessions.create(session, KEY, external_id, None, ALLOWED)


def test_a_link_to_elsewhere_is_not_made(runtime: Runtime) -> None:
    with pytest.raises(Invalid):
        _link(runtime, "https://evil.test/")


def test_links_are_forgotten_a_week_after_their_end(runtime: Runtime) -> None:
    _link(runtime)
    with time_machine.travel(clock.now() + timedelta(days=8), tick=False):
        live = _link(runtime)
        with runtime.database.write() as session:
            assert links.forget_ended(session) == 1
            links.look(session, LinkKind.CONNECT, live)
