"""Librato's table of roles, row by row, and who is let in at all."""

import time

import pytest
from flask.testing import FlaskClient

from tests.sandbox.librato_client import Asker, basic
from webapp.sandbox import World

F, R, V = "admin", "recorder", "viewer"

# The page "API Tokens and Token Roles", in its own order: path, method, who may.
TABLE = [
    ("/v1/alerts", "GET", {F, V}),
    ("/v1/alerts", "POST", {F}),
    ("/v1/alerts/:id", "GET", {F, V}),
    ("/v1/alerts/:id", "PUT", {F}),
    ("/v1/alerts/:id", "DELETE", {F}),
    ("/v1/alerts/:id/services", "POST", {F}),
    ("/v1/alerts/:id/services/:service_id", "DELETE", {F}),
    ("/v1/annotations", "GET", {F, R, V}),
    ("/v1/annotations/:name", "GET", {F, R, V}),
    ("/v1/annotations/:name", "POST", {F, R}),
    ("/v1/annotations/:name", "PUT", {F}),
    ("/v1/annotations/:name", "DELETE", {F}),
    ("/v1/annotations/:name/:id", "GET", {F, R, V}),
    ("/v1/annotations/:name/:id", "PUT", {F}),
    ("/v1/annotations/:name/:id", "DELETE", {F}),
    ("/v1/annotations/:name/:id/links", "POST", {F}),
    ("/v1/annotations/:name/:id/links/:rel", "DELETE", {F}),
    ("/v1/api_tokens", "GET", {F}),
    ("/v1/api_tokens", "POST", {F}),
    ("/v1/api_tokens/:id", "GET", {F}),
    ("/v1/api_tokens/:id", "PUT", {F}),
    ("/v1/api_tokens/:id", "DELETE", {F}),
    ("/v1/measurements", "GET", {F, R, V}),
    ("/v1/measurements", "POST", {F, R}),
    ("/v1/metrics", "GET", {F, R, V}),
    ("/v1/metrics", "DELETE", {F}),
    ("/v1/metrics/:name", "GET", {F, R, V}),
    ("/v1/metrics/:name", "PUT", {F}),
    ("/v1/metrics/:name", "DELETE", {F}),
    ("/v1/services", "GET", {F}),
    ("/v1/services", "POST", {F}),
    ("/v1/services/:id", "GET", {F}),
    ("/v1/services/:id", "PUT", {F}),
    ("/v1/services/:id", "DELETE", {F}),
    ("/v1/spaces", "GET", {F, V}),
    ("/v1/spaces", "POST", {F}),
    ("/v1/spaces/:id", "GET", {F, V}),
    ("/v1/spaces/:id", "PUT", {F}),
    ("/v1/spaces/:id", "DELETE", {F}),
    ("/v1/spaces/:id/charts", "GET", {F, V}),
    ("/v1/spaces/:id/charts", "POST", {F}),
    ("/v1/spaces/:id/charts/:id", "GET", {F, V}),
    ("/v1/spaces/:id/charts/:id", "PUT", {F}),
    ("/v1/spaces/:id/charts/:id", "DELETE", {F}),
]

BODIES: dict[tuple[str, str], dict[str, object]] = {
    ("/v1/alerts/:id/services", "POST"): {"service": 1},
    ("/v1/annotations/:name", "POST"): {"title": "x"},
    ("/v1/annotations/:name", "PUT"): {"display_name": "x"},
    ("/v1/annotations/:name/:id", "PUT"): {"title": "x"},
    ("/v1/annotations/:name/:id/links", "POST"): {"rel": "another", "href": "https://a.example"},
    ("/v1/api_tokens", "POST"): {"name": "x", "role": "viewer"},
    ("/v1/measurements", "POST"): {"measurements": [{"name": "x", "value": 1}]},
    ("/v1/metrics", "DELETE"): {"names": ["x"]},
}
REFUSAL = {"errors": {"request": ["This token is not permitted to perform this action on this resource"]}}


@pytest.fixture
def furnished(ask: Asker) -> Asker:
    """An account with one of everything, so that a permitted request has something to act on."""
    ask("POST", "/v1/services", json={"type": "mail"})
    ask("POST", "/v1/alerts", json={"name": "a", "services": [1]})
    ask("POST", "/v1/spaces", json={"name": "s"})
    ask("POST", "/v1/spaces/1/charts", json={"name": "c"})
    links = [{"rel": "github", "href": "https://a.example"}]
    ask("POST", "/v1/annotations/deploys", json={"title": "t", "links": links})
    ask("POST", "/v1/measurements", json={"measurements": [{"name": "cpu", "value": 1}]})
    return ask


def filled(path: str) -> str:
    """Put the names of what is there into a path of the table."""
    path = path.replace("/annotations/:name", "/annotations/deploys").replace("/deploys/:id", "/deploys/123")
    path = path.replace(":rel", "github").replace("/metrics/:name", "/metrics/cpu")
    path = path.replace("/api_tokens/:id", "/api_tokens/28")
    return path.replace(":service_id", "1").replace(":id", "1")


@pytest.mark.parametrize("role", [F, R, V])
@pytest.mark.parametrize(
    ("path", "method", "allowed"), TABLE, ids=[f"{method} {path}" for path, method, _ in TABLE]
)
def test_a_role_may_do_what_the_table_ticks_and_nothing_else(
    furnished: Asker, path: str, method: str, allowed: set[str], role: str
) -> None:
    body = {"json": BODIES.get((path, method), {"name": "x"})} if method in ("POST", "PUT", "DELETE") else {}
    answer = furnished(method, filled(path), role, **body)
    if role in allowed:
        assert answer.status_code in (200, 201, 204)
    else:
        assert (answer.status_code, answer.get_json()) == (403, REFUSAL)


@pytest.mark.parametrize("role", [F, R, V])
def test_the_older_ingest_endpoint_goes_by_measurements(ask: Asker, role: str) -> None:
    answer = ask("POST", "/v1/metrics", role, json={"gauges": [{"name": "x", "value": 1}]})
    assert answer.status_code == (403 if role == V else 200)


def test_a_probe_with_nothing_in_it_tells_record_from_view(ask: Asker) -> None:
    assert ask("POST", "/v1/measurements", R, json={"measurements": []}).status_code == 400
    assert ask("POST", "/v1/measurements", V, json={"measurements": []}).status_code == 403
    assert ask("POST", "/v1/annotations/x", R, json={}).status_code == 400
    assert ask("POST", "/v1/annotations/x", V, json={}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic !"},
        basic("ada@sandbox.example", "wrong"),
        basic("ada@sandbox.example", ""),
    ],
)
def test_a_wrong_pair_is_unauthorized_in_both_shapes(
    librato: FlaskClient, world: World, headers: dict[str, str]
) -> None:
    reading = librato.get("/v1/metrics", headers=headers)
    assert reading.status_code == 401
    assert reading.get_json() == {"errors": {"request": ["Authorization Required"]}}
    for path in ("/v1/metrics", "/v1/measurements"):
        ingest = librato.post(path, headers=headers, json={})
        assert (ingest.status_code, ingest.mimetype) == (401, "text/plain")
        assert ingest.get_data(as_text=True) == "Credentials are required to access this resource."
        assert ingest.headers["WWW-Authenticate"].startswith('Basic realm="')
    assert librato.post("/v1/annotations/x", headers=headers, json={}).is_json
    assert world.desk.recorder.received() == []


def test_a_token_of_the_right_account_needs_its_email(librato: FlaskClient, ask: Asker) -> None:
    tokens = ask.account["tokens"]
    assert isinstance(tokens, dict)
    for user, password in (("mallory@sandbox.example", tokens[F]), (tokens[F], ""), ("token", tokens[F])):
        assert librato.get("/v1/metrics", headers=basic(user, password)).status_code == 401


def test_every_answer_tells_the_limits(ask: Asker, librato: FlaskClient) -> None:
    for answer in (ask("GET", "/v1/metrics"), ask("GET", "/v1/nowhere"), librato.get("/v1/metrics")):
        for name in ("X-Librato-RateLimit-Agg", "X-Librato-RateLimit-Std"):
            parts = dict(part.split("=") for part in answer.headers[name].split(","))
            assert set(parts) == {"limit", "remaining", "reset"}
            assert int(parts["remaining"]) < int(parts["limit"])
            assert int(parts["reset"]) > time.time()


def test_an_inactive_token_is_unauthorized(ask: Asker) -> None:
    assert ask("GET", "/v1/metrics", R).status_code == 200
    own = next(one for one in ask("GET", "/v1/api_tokens").get_json()["api_tokens"] if one["role"] == R)
    ask("PUT", "/v1/api_tokens/" + own["href"].rpartition("/")[2], json={"active": False})
    assert ask("GET", "/v1/metrics", R).status_code == 401
