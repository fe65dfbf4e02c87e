"""Signing in and out, and what a session is worth."""

from datetime import timedelta

import pytest
import time_machine
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.ui.world import PASSWORD, RAW_CSRF, World
from webapp.core import passwords, users
from webapp.core.audit import Actor
from webapp.lib import clock
from webapp.models import SessionKind
from webapp.ui._addresses import local

NEVER_FOLLOWED = [
    f"{start}{host}"
    for start in (
        "//",
        "///",
        "////",
        "/\\",
        "\\\\",
        "\\/",
        "/\t/",
        "/\n/",
        "/%09/",
        "/%5c",
        "/%2f",
        "/.//",
        "/..//",
        " //",
    )
    for host in ("evil.test", "evil.test/%2e%2e", "127.0.0.1@evil.test")
] + [
    "http://evil.test",
    "https://evil.test/",
    "HTTPS:evil.test",
    "https:/evil.test",
    "https:evil.test",
    "http:\\\\evil.test",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "mailto:a@evil.test",
    "evil.test",
    "localhost",
    "@evil.test",
    "/@evil.test",
    "/connections//evil.test",
    "/x/../../evil.test",
    "/a;b",
    "/a\x00b",
    "/a b",
    "/a\r\nLocation: https://evil.test",
    "/ä",
    "/connect?next=https://evil.test#x",
    "?next=//evil.test",
    "",
    "/" + "a" * 600,
]


def _enter(client: FlaskClient, world: World, email: str, password: str, **form: str) -> TestResponse:
    return world.post(client, "/sign-in", {"email": email, "password": password, **form})


@pytest.fixture(autouse=True)
def fast_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow hash is tried in tests/core; here there is one password."""
    monkeypatch.setattr(
        passwords, "matches", lambda password, kept: kept is not None and password == PASSWORD
    )


def test_the_right_password_signs_in(world: World) -> None:
    client = world.client()
    answer = _enter(client, world, "bob@example.org", PASSWORD.reveal())
    assert (answer.status_code, answer.location) == (303, "/")
    assert client.get("/connections").status_code == 200


def test_the_wrong_one_does_not_and_is_not_shown_again(world: World) -> None:
    client = world.client()
    answer = _enter(client, world, "bob@example.org", "a wrong password")
    assert answer.status_code == 401
    assert "do not go together" in answer.text
    assert 'value="bob@example.org"' in answer.text
    assert "a wrong password" not in answer.text
    assert client.get("/connections").status_code == 303


def test_a_planted_session_is_worth_nothing_after_the_sign_in(world: World) -> None:
    planted = world.client("dan", SessionKind.CONNECT)
    kept = planted.get_cookie("hitchpost-session")
    assert kept is not None
    answer = _enter(planted, world, "bob@example.org", PASSWORD.reveal())
    assert answer.status_code == 303
    new = planted.get_cookie("hitchpost-session")
    assert new is not None
    assert new.value != kept.value
    attacker = world.app.test_client()
    attacker.set_cookie("hitchpost-session", kept.value)
    assert attacker.get("/connect").status_code == 303
    with planted.session_transaction() as state:
        assert state.get("csrf_token") != RAW_CSRF


def test_signing_out_kills_the_cookie_itself(world: World) -> None:
    client = world.client("bob")
    kept = client.get_cookie("hitchpost-session")
    assert kept is not None
    assert world.post(client, "/sign-out").status_code == 303
    client.set_cookie("hitchpost-session", kept.value)
    assert client.get("/connections").status_code == 303


def test_an_idle_session_is_over_and_a_used_one_is_not(world: World) -> None:
    client, start = world.client("bob"), clock.now()
    for minutes in range(0, 120, 20):
        with time_machine.travel(start + timedelta(minutes=minutes), tick=False):
            assert client.get("/connections").status_code == 200
    with time_machine.travel(start + timedelta(minutes=100 + 31), tick=False):
        assert client.get("/connections").status_code == 303


def test_who_is_disabled_is_out_at_the_next_click(world: World) -> None:
    client = world.client("bob")
    assert client.get("/connections").status_code == 200
    with world.runtime.database.write() as session:
        users.disable(session, Actor.user(world.users["alice"]), world.users["bob"])
    assert client.get("/connections").status_code == 303


def test_the_sign_in_leads_to_where_one_wanted_to_go(world: World) -> None:
    client = world.client()
    asked = client.get("/connections?state=active")
    assert asked.location == "/sign-in?next=/connections?state%3Dactive"
    assert 'name="next" value="/connections?state=active"' in client.get(asked.location).text
    answer = _enter(client, world, "bob@example.org", PASSWORD.reveal(), next="/connections?state=active")
    assert answer.location == "/connections?state=active"


@pytest.mark.parametrize("address", NEVER_FOLLOWED)
def test_such_an_address_is_not_local(address: str) -> None:
    assert local(address) is None


@pytest.mark.parametrize(
    "address", ["/", "/connections", "/install/0199-a?x=1&y=a%20b", "/connections?state=active"]
)
def test_a_page_of_ours_is_local(address: str) -> None:
    assert local(address) == address


def test_next_never_leads_elsewhere(world: World) -> None:
    signed_in, stranger = world.client("bob"), world.client()
    for address in NEVER_FOLLOWED:
        assert signed_in.get("/sign-in", query_string={"next": address}).location == "/"
        assert 'name="next"' not in stranger.get("/sign-in", query_string={"next": address}).text
        assert 'name="next"' not in signed_in.get("/again", query_string={"next": address}).text
    for address in NEVER_FOLLOWED[::20]:
        answer = _enter(world.client(), world, "bob@example.org", PASSWORD.reveal(), next=address)
        assert (answer.status_code, answer.location) == (303, "/"), address
        answer = world.post(world.client("bob"), "/again", {"password": PASSWORD.reveal(), "next": address})
        assert (answer.status_code, answer.location) == (303, "/"), address


def test_a_thousand_guesses_are_stopped_at_ten_and_the_page_says_how_long(world: World) -> None:
    guesser = world.client()
    statuses = []
    for guess in range(1000):
        answer = _enter(guesser, world, "bob@example.org", f"a wrong password {guess}")
        statuses.append(answer.status_code)
        if guess == 20:
            break
    assert statuses == [401] * 10 + [429] * 11
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert "Too many tries" in answer.text
    refused = _enter(guesser, world, "bob@example.org", PASSWORD.reveal())
    assert refused.status_code == 429


def test_guessers_elsewhere_do_not_lock_a_person_out(world: World) -> None:
    guesser, bob = world.client(), world.client()
    for guess in range(12):
        _enter(guesser, world, "bob@example.org", f"a wrong password {guess}")
    form = {"csrf_token": world.token(), "email": "bob@example.org", "password": PASSWORD.reveal()}
    answer = bob.post("/sign-in", data=form, environ_base={"REMOTE_ADDR": "192.0.2.9"})
    assert answer.status_code == 303


def test_one_address_that_tries_many_names_is_stopped_too(world: World) -> None:
    guesser = world.client()
    statuses = [
        _enter(guesser, world, f"person{number}@example.org", "a wrong password").status_code
        for number in range(62)
    ]
    assert statuses == [401] * 60 + [429] * 2


def test_a_stale_proof_is_asked_for_again_before_people_are_changed(world: World) -> None:
    client, start = world.client("alice"), clock.now()
    dan = world.users["dan"]
    with time_machine.travel(start + timedelta(minutes=16), tick=False):
        refused = world.post(client, f"/admin/people/{dan}/disable")
        assert (refused.status_code, refused.location) == (303, "/again?next=/admin/people")
        kept = client.get_cookie("hitchpost-session")
        assert world.post(client, "/again", {"password": "a wrong password"}).status_code == 401
        proven = world.post(client, "/again", {"password": PASSWORD.reveal(), "next": "/admin/people"})
        assert proven.location == "/admin/people"
        assert client.get_cookie("hitchpost-session") != kept
        done = world.post(client, f"/admin/people/{dan}/disable")
        assert done.location == "/admin/people"
    with world.runtime.database.read() as session:
        assert users.get(session, dan).disabled_at is not None


def test_htmx_is_sent_to_the_sign_in_as_a_whole_page(world: World) -> None:
    answer = world.client().get("/admin/health/part", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/sign-in?next=/admin/health/part")
