"""Baselime's OAuth on the wire, against Baselime's own samples (Baselime docs, API Integration)."""

import base64
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request as Asked
from werkzeug import Response as Answer

from webapp.errors import (
    AccessRefused,
    ClientRefused,
    GrantRefused,
    VendorAnswerInvalid,
    VendorError,
    VendorRateLimited,
    VendorUnavailable,
)
from webapp.lib.http import Http
from webapp.lib.secret import Secret
from webapp.providers.base import Grant, Installs, ListsEnvironments, Refreshes, Revokes
from webapp.providers.baselime import Baselime
from webapp.providers.receiving import Receives
from webapp.settings import Settings

#: exchange or refresh
Ask = Callable[[Baselime, Http], Grant]
CODE = Secret("4fa87ba8cc7f30e91ad2ab1ad21c1b3e")
SECRET = "client-secret-canary-91"
REFRESH = Secret("435huo4wwwwwhu9j4398653g9woeirjgq3984ig5whrek5ejh9jg9wehgw")
#: the documented answers
FIRST = {
    "accessToken": "0eg45oih65ihj4gjiojerjoi3g45j0g4",
    "refreshToken": REFRESH.reveal(),
    "expiresIn": 86400,
    "tokenType": "Bearer",
}
SECOND = {"accessToken": "0eg45oih65ihj4gjiojerjoi3g45j0g5", "expiresIn": 86400, "tokenType": "Bearer"}


@pytest.fixture
def http() -> Iterator[Http]:
    with closing(Http(allow_private=True, deadline=2.0)) as client:
        yield client


@pytest.fixture
def baselime(httpserver: HTTPServer) -> Baselime:
    return Baselime(
        Settings(
            public_url="https://hitchpost.example",
            baselime_client_id="client-1",
            baselime_client_secret=SECRET,
            baselime_api_url=httpserver.url_for("").rstrip("/"),
        )
    )


def answering(httpserver: HTTPServer, answer: Answer) -> list[Asked]:
    """Give `answer` to every call; the calls are in the list."""
    asked: list[Asked] = []

    def handle(request: Asked) -> Answer:
        asked.append(request)
        return answer

    httpserver.expect_request("/oauth/token").respond_with_handler(handle)
    httpserver.expect_request("/oauth/environments").respond_with_handler(handle)
    return asked


def of(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value), status, content_type="application/json")


def exchange(baselime: Baselime, http: Http) -> Grant:
    return baselime.exchange(http, CODE)


def refresh(baselime: Baselime, http: Http) -> Grant:
    return baselime.refresh(http, REFRESH, scope="", details={})


# The dialect


def test_a_code_is_exchanged_in_the_documented_words(
    baselime: Baselime, http: Http, httpserver: HTTPServer
) -> None:
    asked = answering(httpserver, of(FIRST))
    grant = exchange(baselime, http)
    assert [(one.method, one.path, one.content_type) for one in asked] == [
        ("POST", "/oauth/token", "application/json")
    ]
    assert asked[0].get_json() == {
        "grantType": "authorization_code",
        "clientId": "client-1",
        "clientSecret": SECRET,
        "redirect": "https://hitchpost.example/install/baselime/callback",
        "code": CODE.reveal(),
    }
    assert grant.access_token.reveal() == FIRST["accessToken"]
    assert grant.refresh_token == REFRESH
    assert grant.lifetime == 86400


def test_an_access_token_is_refreshed_in_the_documented_words(
    baselime: Baselime, http: Http, httpserver: HTTPServer
) -> None:
    asked = answering(httpserver, of(SECOND))
    grant = refresh(baselime, http)
    assert asked[0].get_json() == {
        "grantType": "refresh_token",
        "clientId": "client-1",
        "clientSecret": SECRET,
        "redirect": "https://hitchpost.example/install/baselime/callback",
        "refreshToken": REFRESH.reveal(),
    }
    assert grant.access_token.reveal() == SECOND["accessToken"]
    assert grant.refresh_token is None


def test_nothing_secret_is_in_an_address_or_a_header(
    baselime: Baselime, http: Http, httpserver: HTTPServer
) -> None:
    asked = answering(httpserver, of(FIRST))
    exchange(baselime, http)
    assert asked[0].query_string == b""
    text = str(asked[0].headers)
    assert SECRET not in text
    assert base64.b64encode(f"client-1:{SECRET}".encode()).decode() not in text
    assert CODE.reveal() not in text


@pytest.mark.parametrize("text", ["a&b=c", "a+b c%20", 'quote"\\', "=;,?/"])
def test_odd_letters_in_a_refresh_token_survive(
    baselime: Baselime, http: Http, httpserver: HTTPServer, text: str
) -> None:
    asked = answering(httpserver, of(SECOND))
    baselime.refresh(http, Secret(text), scope="", details={})
    assert asked[0].get_json()["refreshToken"] == text


def test_it_has_the_abilities_that_baselime_documents(baselime: Baselime) -> None:
    for ability in (Installs, Refreshes, ListsEnvironments, Receives):
        assert isinstance(baselime, ability)
    assert not isinstance(baselime, Revokes)
    assert baselime.install_url() == "https://console.baselime.io/integrations/client-1"
    assert baselime.console_origin() == "https://console.baselime.io"


# What may become a grant

BAD_GRANTS = {
    "a 429 body": {"message": "Too Many Requests"},
    "snake case": {"access_token": "x", "expires_in": 60, "token_type": "Bearer"},
    "nothing": {},
    "null": None,
    "a list": [],
    "a list of it": [FIRST],
    "text": "token",
    "no token": {**FIRST, "accessToken": None},
    "an empty token": {**FIRST, "accessToken": ""},
    "a number for a token": {**FIRST, "accessToken": 7},
    "a list for a token": {**FIRST, "accessToken": ["x"]},
    "a huge token": {**FIRST, "accessToken": "x" * 8193},
    "a token with a line break": {**FIRST, "accessToken": "x\r\nHost: evil"},
    "a token with a space": {**FIRST, "accessToken": "a b"},
    "a token beyond ASCII": {**FIRST, "accessToken": "tökén"},
    "a refresh token with a line break": {**FIRST, "refreshToken": "x\n"},
    "a number for a refresh token": {**FIRST, "refreshToken": 1},
    "no type": {**FIRST, "tokenType": None},
    "another type": {**FIRST, "tokenType": "mac"},
    "a number for a type": {**FIRST, "tokenType": 1},
    "no lifetime": {**FIRST, "expiresIn": None},
    "a text for a lifetime": {**FIRST, "expiresIn": "soon"},
    "a numeric text for a lifetime": {**FIRST, "expiresIn": "86400"},
    "a truth for a lifetime": {**FIRST, "expiresIn": True},
    "no time at all": {**FIRST, "expiresIn": 0},
    "less than no time": {**FIRST, "expiresIn": -5},
    "more than a year": {**FIRST, "expiresIn": 367 * 86400},
}
BAD_BODIES = {
    "empty": b"",
    "broken": b'{"accessToken": "x", ',
    "not UTF-8": b"\xff\xfe",
    "NaN": b'{"accessToken":"x","refreshToken":"y","tokenType":"Bearer","expiresIn":NaN}',
    "infinite": b'{"accessToken":"x","refreshToken":"y","tokenType":"Bearer","expiresIn":1e999}',
    "twice": b'{"accessToken":"x","accessToken":"y","refreshToken":"y","tokenType":"Bearer","expiresIn":60}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
}


@pytest.mark.parametrize("ask", [exchange, refresh])
@pytest.mark.parametrize("body", BAD_GRANTS.values(), ids=BAD_GRANTS.keys())
def test_what_is_no_grant_is_never_taken_for_one(
    baselime: Baselime, http: Http, httpserver: HTTPServer, ask: Ask, body: object
) -> None:
    answering(httpserver, of(body))
    with pytest.raises(VendorAnswerInvalid):
        ask(baselime, http)


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_what_is_no_json_is_never_taken_for_a_grant(
    baselime: Baselime, http: Http, httpserver: HTTPServer, body: bytes
) -> None:
    answering(httpserver, Answer(body, 200, content_type="application/json"))
    with pytest.raises(VendorAnswerInvalid):
        exchange(baselime, http)


def test_a_first_grant_without_a_refresh_token_is_not_taken(
    baselime: Baselime, http: Http, httpserver: HTTPServer
) -> None:
    answering(httpserver, of(SECOND))
    with pytest.raises(VendorAnswerInvalid):
        exchange(baselime, http)


def test_a_new_refresh_token_is_taken_if_one_is_given(
    baselime: Baselime, http: Http, httpserver: HTTPServer
) -> None:
    answering(httpserver, of({**SECOND, "refreshToken": "rotated"}))
    assert refresh(baselime, http).refresh_token == Secret("rotated")


@pytest.mark.parametrize("kind", ["bearer", "BEARER", "Bearer"])
def test_the_type_is_read_in_any_case(
    baselime: Baselime, http: Http, httpserver: HTTPServer, kind: str
) -> None:
    answering(httpserver, of({**FIRST, "tokenType": kind, "expiresIn": 1.5, "more": {"x": 1}}))
    assert exchange(baselime, http).lifetime == 1.5


# Refusals: the status decides

PAGE = Answer("<!doctype html><h1>Bad gateway</h1>", 502, content_type="text/html")
REFUSALS = [
    (of({"message": "Unknown code"}, 400), GrantRefused),
    (of({"message": "Forbidden"}, 403), GrantRefused),
    (Answer(b"", 400), GrantRefused),
    (of({"error": "invalid_grant"}, 400), GrantRefused),
    (of({"error": "invalid_grant"}, 401), GrantRefused),
    (of({"message": "Unknown client"}, 401), ClientRefused),
    (of({"error": "invalid_client"}, 400), ClientRefused),
    (of({"error": "unauthorized_client"}, 400), ClientRefused),
    (of({"message": "Too Many Requests"}, 429), VendorRateLimited),
    (of({"message": "Internal Error"}, 500), VendorUnavailable),
    (of(FIRST, 500), VendorUnavailable),
    (of({}, 503), VendorUnavailable),
    (of({}, 404), VendorUnavailable),
    (of({}, 405), VendorUnavailable),
    (of({}, 410), VendorUnavailable),
    (of(FIRST, 302), VendorUnavailable),
    (PAGE, VendorUnavailable),
    (Answer("<html>sign in</html>", 200, content_type="text/html"), VendorUnavailable),
    (Answer("<html>blocked</html>", 403, content_type="text/html; charset=utf-8"), VendorUnavailable),
    (Answer("  <html>nothing said of its kind", 400), VendorUnavailable),
]


@pytest.mark.parametrize("ask", [exchange, refresh])
@pytest.mark.parametrize(("answer", "error"), REFUSALS)
def test_a_refusal_is_told_by_its_status(  # noqa: PLR0917 - fixtures, by name
    baselime: Baselime,
    http: Http,
    httpserver: HTTPServer,
    ask: Ask,
    answer: Answer,
    error: type[VendorError],
) -> None:
    answering(httpserver, answer)
    with pytest.raises(VendorError) as caught:
        ask(baselime, http)
    assert type(caught.value) is error
    assert caught.value.status == answer.status_code


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), ("999999", 3600.0), ("nonsense", 60.0), ("-1", 60.0), (None, 60.0)]
)
def test_a_wait_is_read_and_bounded(
    baselime: Baselime, http: Http, httpserver: HTTPServer, value: str | None, seconds: float
) -> None:
    answering(httpserver, Answer(b"", 429, headers={"Retry-After": value} if value else {}))
    with pytest.raises(VendorRateLimited) as caught:
        refresh(baselime, http)
    assert caught.value.retry_after == seconds


def test_a_vendor_that_is_not_there_surely_saw_nothing(http: Http) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    gone = Baselime(
        Settings(
            baselime_client_id="client-1",
            baselime_client_secret=SECRET,
            baselime_api_url=f"http://127.0.0.1:{port}",
        )
    )
    with pytest.raises(VendorUnavailable) as caught:
        gone.exchange(http, CODE)
    assert not caught.value.sent


@pytest.mark.parametrize(
    "answer",
    [answer for answer, _ in REFUSALS]
    + [
        of({"message": f"code {CODE.reveal()} of {SECRET} is bad"}, 400),
        of({"error_description": f"{REFRESH.reveal()}"}, 400),
        of({"message": SECRET}, 500),
    ],
)
def test_no_error_tells_a_secret_whatever_the_vendor_says(
    baselime: Baselime, http: Http, httpserver: HTTPServer, answer: Answer
) -> None:
    answering(httpserver, answer)
    for ask in (exchange, refresh):
        with pytest.raises(VendorError) as caught:
            ask(baselime, http)
        error: BaseException | None = caught.value
        if ask is exchange and error is not None:
            assert CODE.reveal() not in repr(error)
        while error is not None:
            told = f"{error!r} {error} {vars(error)}"
            assert SECRET not in told
            assert ask is exchange or REFRESH.reveal() not in told
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_vendors_words_are_printable_and_short(
    baselime: Baselime, http: Http, httpserver: HTTPServer
) -> None:
    answering(httpserver, of({"message": "no\x1b[31m way\r\n" + "!" * 1000}, 400))
    with pytest.raises(GrantRefused) as caught:
        exchange(baselime, http)
    words = str(caught.value)
    assert words.startswith("no")
    assert words.isprintable()
    assert len(words) <= 300


# The list of environments


def environments(baselime: Baselime, http: Http) -> tuple[object, ...]:
    return baselime.list_environments(http, {"access_token": Secret("access-1")}, {})


def test_environments_are_listed_as_documented(
    baselime: Baselime, http: Http, httpserver: HTTPServer
) -> None:
    asked = answering(
        httpserver, of([{"workspaceId": "my-workspace", "environmentId": "prod", "apiKey": "abc123def456"}])
    )
    (found,) = baselime.list_environments(http, {"access_token": Secret("access-1")}, {})
    assert (found.account_key, found.vendor_key) == ("my-workspace", "prod")
    assert found.ingest_key == Secret("abc123def456")
    assert asked[0].headers["Authorization"] == "Bearer access-1"
    assert asked[0].content_type == "application/json"
    assert asked[0].method == "GET"


def test_an_empty_list_is_a_list(baselime: Baselime, http: Http, httpserver: HTTPServer) -> None:
    answering(httpserver, of([]))
    assert environments(baselime, http) == ()


def test_an_environment_may_come_without_a_key(
    baselime: Baselime, http: Http, httpserver: HTTPServer
) -> None:
    answering(httpserver, of([{"workspaceId": "w", "environmentId": "e"}]))
    (found,) = baselime.list_environments(http, {"access_token": Secret("access-1")}, {})
    assert found.ingest_key is None


ONE = {"workspaceId": "w", "environmentId": "e", "apiKey": "k"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"environments": [ONE]},
        None,
        "text",
        [None],
        [[]],
        [ONE, ONE],
        [{**ONE, "apiKey": ""}],
        [{**ONE, "apiKey": 1}],
        [{**ONE, "apiKey": "a b"}],
        [{**ONE, "apiKey": "k\r\nx-evil: 1"}],
        [{**ONE, "apiKey": "kéy"}],
        [{**ONE, "workspaceId": ""}],
        [{**ONE, "workspaceId": None}],
        [{**ONE, "workspaceId": "w" * 201}],
        [{**ONE, "environmentId": 7}],
        [{**ONE, "environmentId": "line\nbreak"}],
        [ONE, {"workspaceId": "w"}],
        [{**ONE, "environmentId": str(number)} for number in range(5001)],
    ],
)
def test_a_list_with_one_fault_is_no_list(
    baselime: Baselime, http: Http, httpserver: HTTPServer, body: object
) -> None:
    answering(httpserver, of(body))
    with pytest.raises(VendorAnswerInvalid):
        environments(baselime, http)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (of({"message": "Unauthorised"}, 401), AccessRefused),
        (of({}, 403), AccessRefused),
        (of({}, 429), VendorRateLimited),
        (of({}, 500), VendorUnavailable),
        (of([], 404), VendorUnavailable),
        (PAGE, VendorUnavailable),
    ],
)
def test_a_refused_list_is_told_by_its_status(
    baselime: Baselime, http: Http, httpserver: HTTPServer, answer: Answer, error: type[VendorError]
) -> None:
    answering(httpserver, answer)
    with pytest.raises(VendorError) as caught:
        environments(baselime, http)
    assert type(caught.value) is error
