"""Every kind of reply to a refresh, off the wire, and the one action of its class.

The whole row is compared: whatever was not a grant has left it as it was, byte for byte, but for the columns
that say when it is tried again and why.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import inspect, select
from werkzeug import Response as Answer

from tests.core.refresh.conftest import make_grant
from tests.runtimes import running
from webapp.core import refresh
from webapp.core.connections import moment_of
from webapp.core.refresh import Outcome
from webapp.core.runtime import Runtime
from webapp.models import Breaker, Connection, ConnectionState, Credential, Notice

#: What a reply that is no grant may change.
BACKOFF = {"refresh_at", "failures", "words", "asked_at", "refused_at"}
#: How the refresh ended, and which columns of the row it changed.
Ask = Callable[[Answer], tuple[Outcome | None, set[str]]]
GRANT = {"accessToken": "fresh-canary", "expiresIn": 86400, "tokenType": "Bearer"}


def of(body: object, status: int = 200, **headers: str) -> Answer:
    return Answer(json.dumps(body), status, {**headers}, content_type="application/json")


def text(body: str, status: int = 200, kind: str = "application/json", **headers: str) -> Answer:
    return Answer(body, status, {**headers}, content_type=kind)


def but(**changed: object) -> Answer:
    """The documented grant with something changed; None takes a member out."""
    return of({name: value for name, value in {**GRANT, **changed}.items() if value is not None})


PAGE = "<!doctype html><title>We will be back</title>"

#: The answer may have been a grant that was lost on its way: asked again at once, with the cause kept.
LOST = {
    "an empty body": text(""),
    "204": text("", 204),
    "null": text("null"),
    "an array": of([GRANT]),
    "a string": of("yes"),
    "half of it": text('{"accessToken": "fre'),
    "not JSON": text("access granted", kind="text/plain"),
    "NaN": text('{"accessToken": "a", "expiresIn": NaN, "tokenType": "Bearer"}'),
    "a name twice": text('{"accessToken": "a", "accessToken": "b", "expiresIn": 9, "tokenType": "Bearer"}'),
    "too deep": text("[" * 200 + "]" * 200),
    "a page": text(PAGE, kind="text/html"),
    "a page that says it is JSON": text(PAGE),
    "an error in a 200": of({"error": "server_error"}),
    "no access token": but(accessToken=None),
    "an empty access token": but(accessToken=""),
    "an access token of another type": but(accessToken=7),
    "an access token with a line break": but(accessToken="a\r\nx-evil: 1"),
    "an access token without end": but(accessToken="a" * 9000),
    "no life": but(expiresIn=None),
    "a life of nothing": but(expiresIn=0),
    "a life before now": but(expiresIn=-5),
    "a life in words": but(expiresIn="soon"),
    "a life without end": but(expiresIn=10**12),
    "no type": but(tokenType=None),
    "another type": but(tokenType="mac"),
    "a refresh token of another type": but(refreshToken=["x"]),
    "a gateway that lost it": text(PAGE, 502, "text/html"),
    "a gateway that gave up": text("", 504),
}
#: Surely no grant, and no fault of ours: the ladder.
LATER = {
    "500": of({"message": "Internal Server Error"}, 500),
    "501": text("", 501),
    "503 as a page": text(PAGE, 503, "text/html"),
    "503 with a wait": of({}, 503, **{"Retry-After": "120"}),
    "an unknown 5xx": text("", 599),
    "301": text("", 301, Location="https://elsewhere.example/"),
    "302 to a page": text(PAGE, 302, "text/html", Location="/login"),
    "307": text("", 307, Location="https://elsewhere.example/"),
    "404": of({"message": "Not Found"}, 404),
    "404 as a page": text(PAGE, 404, "text/html"),
    "405": text("", 405),
    "410": text("", 410),
    "418": text("", 418),
    "400 as a page": text(PAGE, 400, "text/html"),
    "401 as a page": text(PAGE, 401, "text/html"),
    "403 of a firewall": text(PAGE, 403, "text/html"),
}
SLOW = {
    "429": text("", 429),
    "429 with a wait": of({}, 429, **{"Retry-After": "90"}),
    "429 that asks for a year": of({}, 429, **{"Retry-After": "31536000"}),
    "429 as a page": text(PAGE, 429, "text/html"),
}
CLIENT = {
    "401 invalid_client": of({"error": "invalid_client"}, 401),
    "400 invalid_client": of({"error": "invalid_client"}, 400),
    "400 unauthorized_client": of({"error": "unauthorized_client"}, 400),
    "a bare 401": of({"message": "Unauthorised"}, 401),
}
REFUSED = {
    "400 invalid_grant": of({"error": "invalid_grant"}, 400),
    "401 invalid_grant": of({"error": "invalid_grant"}, 401),
    "a bare 400": of({"message": "Bad Request"}, 400),
    "a bare 403": of({"message": "Forbidden"}, 403),
}


@pytest.fixture
def house(tmp_path: Path, sqlite_template: Path, httpserver: HTTPServer) -> Iterator[Runtime]:
    """An instance whose Baselime is a real server on this machine."""
    copy = tmp_path / "hitchpost.db"
    copy.write_bytes(sqlite_template.read_bytes())
    with running(f"sqlite:///{copy}", baselime_api_url=httpserver.url_for("").rstrip("/")) as runtime:
        yield runtime


@pytest.fixture
def ask(house: Runtime, httpserver: HTTPServer) -> Ask:
    """Call it with a reply for how the refresh ended, and which columns of the row it changed."""

    def refresh_once(reply: Answer) -> tuple[Outcome | None, set[str]]:
        httpserver.expect_request("/oauth/token").respond_with_handler(lambda _: reply)
        with house.database.write() as session:
            credential_id = make_grant(session, house, "one").id
        before = columns(house)
        outcome = refresh.refresh_one(house, credential_id)
        after = columns(house)
        return outcome, {name for name in before if before[name] != after[name]}

    return refresh_once


def columns(house: Runtime) -> dict[str, Any]:
    with house.database.read() as session:
        row = session.scalars(select(Credential)).one()
        return {column.key: getattr(row, column.key) for column in inspect(Credential).column_attrs}


def row(house: Runtime) -> Credential:
    with house.database.read() as session:
        return session.scalars(select(Credential)).one()


def quiet(house: Runtime) -> bool:
    """Whether no connection is blamed, and nobody is told."""
    with house.database.read() as session:
        states = set(session.scalars(select(Connection.state)))
        return states == {ConnectionState.ACTIVE} and not session.scalars(select(Notice)).all()


def wait_of(house: Runtime) -> float:
    with house.database.read() as session:
        moment = session.scalar(select(Credential.refresh_at))
        now = moment_of(session)
        assert moment is not None
        return float((moment - now).total_seconds())


@pytest.mark.parametrize("reply", LOST.values(), ids=LOST)
def test_what_may_have_been_a_grant_is_asked_again_at_once(house: Runtime, ask: Ask, reply: Answer) -> None:
    outcome, changed = ask(reply)
    assert (outcome, changed - BACKOFF) == (Outcome.LATER, set())
    assert row(house).asked_at is not None
    assert wait_of(house) <= 5
    assert quiet(house)


@pytest.mark.parametrize("reply", LATER.values(), ids=LATER)
def test_what_is_surely_no_grant_is_tried_again_by_the_ladder(
    house: Runtime, ask: Ask, reply: Answer
) -> None:
    outcome, changed = ask(reply)
    assert (outcome, changed - BACKOFF) == (Outcome.LATER, set())
    assert row(house).asked_at is None
    assert wait_of(house) <= max(30.0, float(reply.headers.get("Retry-After", 0)))
    assert quiet(house)


@pytest.mark.parametrize("reply", SLOW.values(), ids=SLOW)
def test_429_slows_the_whole_vendor_for_an_hour_at_most(house: Runtime, ask: Ask, reply: Answer) -> None:
    outcome, changed = ask(reply)
    assert (outcome, changed - BACKOFF) == (Outcome.LATER, set())
    with house.database.read() as session:
        breaker = session.scalars(select(Breaker)).one()
        stopped = (breaker.open_until - moment_of(session)).total_seconds()
    assert min(float(reply.headers.get("Retry-After", 60)), 3600) - 5 < stopped <= 3600
    assert wait_of(house) <= 3600
    assert quiet(house)


@pytest.mark.parametrize("reply", CLIENT.values(), ids=CLIENT)
def test_a_refused_client_is_one_incident_of_the_operator_and_no_connections(
    house: Runtime, ask: Ask, reply: Answer
) -> None:
    outcome, changed = ask(reply)
    assert (outcome, changed - BACKOFF) == (Outcome.CLIENT_REFUSED, set())
    with house.database.read() as session:
        assert set(session.scalars(select(Connection.state))) == {ConnectionState.ACTIVE}
        assert [one.user_id for one in session.scalars(select(Notice))] == [None]
        assert session.scalars(select(Breaker)).one().open_until > moment_of(session)


@pytest.mark.parametrize("reply", REFUSED.values(), ids=REFUSED)
def test_a_refused_grant_is_asked_once_more_minutes_later_before_anybody_is_blamed(
    house: Runtime, ask: Ask, reply: Answer
) -> None:
    outcome, changed = ask(reply)
    assert (outcome, changed - BACKOFF) == (Outcome.REFUSED, set())
    assert row(house).refused_at is not None
    assert 290 <= wait_of(house) <= 370
    assert quiet(house)


def test_the_documented_grant_changes_the_secret_and_its_schedule(house: Runtime, ask: Ask) -> None:
    outcome, changed = ask(of(GRANT))
    assert outcome is Outcome.RENEWED
    assert {"sealed", "generation", "fingerprint", "expires_at", "issued_at"} <= changed
