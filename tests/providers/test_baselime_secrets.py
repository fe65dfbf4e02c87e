"""Two client secrets while the vendor changes over: whichever it takes, nobody notices."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request as Asked
from werkzeug import Response as Answer

from webapp.errors import ClientRefused, GrantRefused
from webapp.lib.http import Http
from webapp.lib.secret import Secret
from webapp.providers.base import Grant
from webapp.providers.baselime import Baselime
from webapp.settings import Settings

NEW, PREVIOUS = "client-secret-new", "client-secret-previous"
GRANT = {"accessToken": "access-1", "refreshToken": "refresh-1", "expiresIn": 86400, "tokenType": "Bearer"}
Make = Callable[..., Baselime]
Ask = Callable[[Baselime, Http], Grant]


class Desk:
    """A token endpoint that takes some of our secrets, and counts what it was shown."""

    def __init__(self) -> None:
        self.accepted = {NEW}
        self.shown: list[str] = []
        self.refusal = Answer('{"error": "invalid_client"}', 401, content_type="application/json")

    def answer(self, request: Asked) -> Answer:
        secret = request.get_json()["clientSecret"]
        self.shown.append(secret)
        if secret not in self.accepted:
            return self.refusal
        return Answer(json.dumps(GRANT), 200, content_type="application/json")


@pytest.fixture
def desk(httpserver: HTTPServer) -> Desk:
    made = Desk()
    httpserver.expect_request("/oauth/token").respond_with_handler(made.answer)
    return made


@pytest.fixture
def make(httpserver: HTTPServer) -> Make:
    def baselime(secret: str = NEW, previous: str = PREVIOUS) -> Baselime:
        return Baselime(
            Settings(
                baselime_client_id="client-1",
                baselime_client_secret=SecretStr(secret),
                baselime_client_secret_previous=SecretStr(previous),
                baselime_api_url=httpserver.url_for("").rstrip("/"),
            )
        )

    return baselime


@pytest.fixture
def http() -> Iterator[Http]:
    with closing(Http(allow_private=True, deadline=2.0)) as client:
        yield client


def exchange(baselime: Baselime, http: Http) -> Grant:
    return baselime.exchange(http, Secret("code-1"))


def refresh(baselime: Baselime, http: Http) -> Grant:
    return baselime.refresh(http, Secret("refresh-0"), scope="", details={})


@pytest.mark.parametrize("ask", [exchange, refresh])
def test_before_the_vendor_changes_over_the_previous_one_is_found_and_remembered(
    desk: Desk, make: Make, http: Http, ask: Ask
) -> None:
    desk.accepted, baselime = {PREVIOUS}, make()
    for _ in range(3):
        assert ask(baselime, http).access_token.reveal() == "access-1"
    assert desk.shown == [NEW, PREVIOUS, PREVIOUS, PREVIOUS]


@pytest.mark.parametrize("ask", [exchange, refresh])
def test_when_the_vendor_has_changed_over_the_new_one_is_found_again(
    desk: Desk, make: Make, http: Http, ask: Ask
) -> None:
    desk.accepted, baselime = {PREVIOUS}, make()
    ask(baselime, http)
    desk.accepted = {NEW}
    ask(baselime, http)
    ask(baselime, http)
    assert desk.shown == [NEW, PREVIOUS, PREVIOUS, NEW, NEW]


def test_the_client_stays_the_same_whichever_secret_works(desk: Desk, make: Make, http: Http) -> None:
    desk.accepted, baselime = {PREVIOUS}, make()
    before = baselime.client().key
    refresh(baselime, http)
    assert baselime.client().key == before


def test_when_neither_is_taken_it_is_our_client_that_is_refused(desk: Desk, make: Make, http: Http) -> None:
    desk.accepted, baselime = set[str](), make()
    with pytest.raises(ClientRefused):
        refresh(baselime, http)
    assert desk.shown == [NEW, PREVIOUS]
    desk.accepted = {NEW}
    refresh(baselime, http)
    assert desk.shown[2:] == [NEW]


@pytest.mark.parametrize("previous", ["", NEW])
def test_with_one_secret_a_refusal_is_a_refusal(desk: Desk, make: Make, http: Http, previous: str) -> None:
    desk.accepted, baselime = set[str](), make(previous=previous)
    with pytest.raises(ClientRefused):
        refresh(baselime, http)
    assert desk.shown == [NEW]


def test_a_refused_grant_is_not_shown_to_the_vendor_again(desk: Desk, make: Make, http: Http) -> None:
    desk.accepted, baselime = set[str](), make()
    desk.refusal = Answer('{"error": "invalid_grant"}', 400, content_type="application/json")
    with pytest.raises(GrantRefused):
        refresh(baselime, http)
    assert desk.shown == [NEW]
