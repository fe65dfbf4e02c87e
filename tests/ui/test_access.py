"""The matrix: every page × everybody. Also whether pages refuse what other sites send in people's name."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from tests.ui.access import TABLE, Row
from tests.ui.world import World, Worlds
from webapp.app import PAGES
from webapp.models import Base, SessionKind
from webapp.ui._session import access_of

LOGIN, CONNECT = SessionKind.LOGIN, SessionKind.CONNECT

#: Everybody who may come along: name in the cast, and how they came in.
EVERYBODY: dict[str, tuple[str | None, SessionKind]] = {
    "nobody": (None, LOGIN),
    "the owner": ("bob", LOGIN),
    "another member": ("dan", LOGIN),
    "an admin": ("alice", LOGIN),
    "the owner in a connect session": ("bob", CONNECT),
    "another in a connect session": ("dan", CONNECT),
    "an admin in a connect session": ("alice", CONNECT),
}
ROUTES = sorted(TABLE)
GUARDED = [route for route in ROUTES if TABLE[route].who != "public"]
UNSAFE = [route for route in ROUTES if not route.startswith("GET ")]


def expected(row: Row, who: str) -> str:
    """`in`, `sign in`, `forbidden` or `missing`."""
    signed_in = "connect session" not in who
    is_admin = who == "an admin"
    if who == "nobody":
        return "missing" if row.who == "browser" else "sign in"
    if row.who == "admin":
        return "in" if is_admin else "forbidden"
    if row.who == "member" and not signed_in:
        return "forbidden"
    if row.owned and "the owner" not in who and not (is_admin and row.admin_too):
        return "missing"
    return "in"


def outcome(answer: TestResponse) -> str:
    if answer.status_code == 303 and answer.location.startswith("/sign-in"):
        return "sign in"
    if answer.status_code >= 500:
        return f"broken ({answer.status_code})"
    return {403: "forbidden", 404: "missing"}.get(answer.status_code, "in")


def ask(world: World, client: FlaskClient, route: str) -> TestResponse:
    method, _, rule = route.partition(" ")
    address = world.address(rule, TABLE[route].things)
    if method == "GET":
        return client.get(address, headers={"Sec-Fetch-Site": "same-origin"})
    assert method == "POST"
    return world.post(client, address, TABLE[route].form)


def rows_of(world: World) -> dict[str, list[object]]:
    """All that is stored, but for who was seen when."""
    found: dict[str, list[object]] = {}
    with world.runtime.database.read() as session:
        for table in Base.metadata.sorted_tables:
            if table.name != "sessions":
                found[table.name] = [tuple(row) for row in session.execute(select(table))]
    return found


def routes_of(world: World) -> set[str]:
    """Every route of the pages, as the table names them."""
    rules = [rule for rule in world.app.url_map.iter_rules() if rule.endpoint.partition(".")[0] not in _API]
    return {
        f"{method} {rule.rule}" for rule in rules for method in rule.methods or () if method not in _UNSEEN
    }


_UNSEEN = {"HEAD", "OPTIONS"}
#: Tried in tests/api.
_API = {"api", "api_pages", "api_health", "api_metrics", "api_otlp", "api_github"}


def test_every_page_has_its_row_and_every_row_its_page(world: World) -> None:
    assert routes_of(world) == set(TABLE)


def test_every_page_says_itself_whom_it_is_for(world: World) -> None:
    pages = {page.blueprint.name for page in PAGES}
    for rule in world.app.url_map.iter_rules():
        if rule.endpoint.partition(".")[0] in pages:
            assert access_of(world.app.view_functions[rule.endpoint]), rule.endpoint


@pytest.mark.parametrize("route", GUARDED)
def test_a_page_lets_in_whom_it_is_for_and_nobody_else(worlds: Worlds, route: str) -> None:
    row = TABLE[route]
    with worlds.fresh() as world:
        before = rows_of(world)
        for who, (name, kind) in EVERYBODY.items():
            if (wanted := expected(row, who)) != "in":
                assert outcome(ask(world, world.client(name, kind), route)) == wanted, who
        assert rows_of(world) == before, "somebody who was refused changed something"
    for who, (name, kind) in EVERYBODY.items():
        if expected(row, who) == "in":
            with worlds.fresh() as world:
                assert outcome(ask(world, world.client(name, kind), route)) == "in", who


@pytest.mark.parametrize("route", UNSAFE)
def test_a_form_without_its_token_changes_nothing(world: World, route: str) -> None:
    before = rows_of(world)
    address = world.address(route.partition(" ")[2])
    form = dict(TABLE[route].form)
    for sent in (form, {**form, "csrf_token": "made-up"}, {**form, "csrf_token": foreign_token(world)}):
        answer = world.client("alice").post(address, data=sent, headers={"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == 403
    assert rows_of(world) == before


def foreign_token(world: World) -> str:
    """A good token of another browser."""
    page = world.app.test_client().get("/sign-in").text
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


FROM_ELSEWHERE = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "https://evil.test"},
    {"Origin": "http://localhost:8100"},
    {"Origin": "https://localhost"},
]


@pytest.mark.parametrize("route", UNSAFE)
def test_another_site_changes_nothing_even_with_the_token(world: World, route: str) -> None:
    before = rows_of(world)
    form = {**TABLE[route].form, "csrf_token": world.token()}
    for said in FROM_ELSEWHERE:
        signed_out = world.app.test_client().post(world.address(route.partition(" ")[2]), headers=said)
        assert signed_out.status_code == 403
        assert "Set-Cookie" not in signed_out.headers, "it would replace the cookie that was not sent"
        answer = world.client("alice").post(world.address(route.partition(" ")[2]), data=form, headers=said)
        assert answer.status_code == 403, said
    assert rows_of(world) == before


def test_an_old_browser_that_says_nothing_is_let_in_by_the_token_alone(world: World) -> None:
    answer = world.client("alice").post(
        "/admin/people",
        data={"csrf_token": world.token(), "email": "x@example.org", "role": "member"},
        headers={"Origin": "http://localhost"},
    )
    assert answer.status_code == 200
    answer = world.client("alice").post(
        "/admin/people",
        data={"csrf_token": world.token(), "email": "y@example.org", "role": "member"},
    )
    assert answer.status_code == 200
