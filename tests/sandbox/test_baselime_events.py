"""The Events API, as documented: what it takes, what it refuses, and in which words."""

import gzip
import json

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from webapp.sandbox import World
from webapp.sandbox.baselime.events import MAX_EVENT, MAX_REQUEST

GOLDEN = [
    {
        "message": "This is an example log event",
        "error": "TypeError: Cannot read property 'something' of undefined",
        "requestId": "6092d6f0-3bfa-4d62-9d0b-5bc7ae6518a1",
        "namespace": "https://api.domain.com/resource/{id}",
    },
    {
        "message": "This is another example log event",
        "requestId": "6092d6f0-3bfa-4d62-9d0b-5bc7ae6518a1",
        "data": {"userId": "01HBRCB38K2K4V5SDR7YC1D0ZB"},
        "duration": 127,
    },
]


def post(
    events: FlaskClient, key: str, body: str | bytes, path: str = "/v1/logs", **headers: str
) -> TestResponse:
    given = {"x-api-key": key, "Content-Type": "application/json"} | headers
    return events.post(path, data=body, headers=given)


def sized(size: int) -> str:
    """One event of so many bytes of JSON."""
    return json.dumps({"m": "x" * (size - len('{"m": ""}'))})


def test_the_documented_example_is_taken(events: FlaskClient, world: World, ingest_key: str) -> None:
    answer = post(events, ingest_key, json.dumps(GOLDEN), **{"x-service": "my-service"})
    assert (answer.status_code, answer.get_json()) == (202, {"message": "Request Accepted"})
    taken = world.desk.recorder.received("baselime")
    assert [one.event for one in taken] == GOLDEN
    assert {one.account for one in taken} == {"acme/prod"}
    assert taken[0].headers == {"dataset": "logs", "x-service": "my-service"}


def test_a_bearer_key_authenticates_too(events: FlaskClient, ingest_key: str) -> None:
    answer = events.post("/v1/flyio", json=[{}], headers={"Authorization": f"Bearer {ingest_key}"})
    assert answer.status_code == 202


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"Authorization": "Bearer wrong"}])
def test_without_a_good_key_nothing_is_taken(
    events: FlaskClient, world: World, headers: dict[str, str]
) -> None:
    answer = events.post("/v1/logs", json=GOLDEN, headers=headers)
    assert (answer.status_code, answer.get_json()) == (401, {"message": "Unauthorised"})
    assert world.desk.recorder.received() == []


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_not_allowed(events: FlaskClient, method: str) -> None:
    answer = events.open("/v1/logs", method=method)
    assert (answer.status_code, answer.get_json()) == (405, {"message": "Method Not Allowed"})


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v2/logs", "/logs", "/v1/logs/service", "/v1/a b"])
def test_bad_path_parameters_are_a_bad_request(events: FlaskClient, ingest_key: str, path: str) -> None:
    answer = post(events, ingest_key, "[{}]", path)
    assert (answer.status_code, answer.get_json()) == (400, {"message": "Bad Request"})


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"message": "bare"}',
        "null",
        "[{}",
        "[{},]",
        '[{"a": NaN}]',
        '{"a":1}\n{"a":2}',
        pytest.param(b"[\xff]", id="not UTF-8"),
        pytest.param("[" * 9_999, id="too deep"),
    ],
)
def test_a_body_that_is_no_array_of_events_is_a_bad_request(
    events: FlaskClient, world: World, ingest_key: str, body: str | bytes
) -> None:
    answer = post(events, ingest_key, body)
    assert (answer.status_code, answer.get_json()) == (400, {"message": "Bad Request"})
    assert world.desk.recorder.received() == []


def test_other_content_types_and_gzip_are_refused(events: FlaskClient, ingest_key: str) -> None:
    body = json.dumps(GOLDEN)
    plain = post(events, ingest_key, body, **{"Content-Type": "text/plain"})
    packed = post(events, ingest_key, gzip.compress(body.encode()), **{"Content-Encoding": "gzip"})
    called_packed = post(events, ingest_key, body, **{"Content-Encoding": "gzip"})
    assert {plain.status_code, packed.status_code, called_packed.status_code} == {400}


def test_items_that_are_no_objects_are_listed_and_the_others_taken(
    events: FlaskClient, world: World, ingest_key: str
) -> None:
    answer = post(events, ingest_key, '[{"n": 1}, "text", {"n": 2}, 7]')
    assert answer.status_code == 400
    assert answer.get_json() == {"message": "Bad Request", "invalid": ["text", 7]}
    assert [one.event for one in world.desk.recorder.received()] == [{"n": 1}, {"n": 2}]


def test_an_event_of_256_kb_is_listed_and_the_others_taken(
    events: FlaskClient, world: World, ingest_key: str
) -> None:
    large, fitting = sized(MAX_EVENT), sized(MAX_EVENT - 1)
    answer = post(events, ingest_key, f"[{fitting},{large}]")
    assert answer.get_json()["invalid"] == [json.loads(large)]
    assert [one.event for one in world.desk.recorder.received()] == [json.loads(fitting)]


def test_an_event_is_measured_as_it_was_sent(events: FlaskClient, ingest_key: str) -> None:
    escaped = '{"m":"' + "\\u0061" * (MAX_EVENT // 6) + '"}'
    assert post(events, ingest_key, f"[{escaped}]").get_json()["invalid"] == [json.loads(escaped)]


def test_a_request_of_more_than_6_mb_is_refused_whole(
    events: FlaskClient, world: World, ingest_key: str
) -> None:
    one = sized(200_000)
    fitting = "[" + ",".join([one] * 29) + "]"
    assert post(events, ingest_key, fitting.ljust(MAX_REQUEST)).status_code == 202
    assert post(events, ingest_key, fitting.ljust(MAX_REQUEST + 1)).get_json() == {"message": "Bad Request"}
    assert len(world.desk.recorder.received()) == 29


def test_a_browser_may_ask_first(events: FlaskClient) -> None:
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key, x-service",
    }
    answer = events.options("/v1/web", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Headers"] == "x-api-key, x-service"


def test_the_inbox_shows_what_arrived(events: FlaskClient, baselime: FlaskClient, ingest_key: str) -> None:
    post(events, ingest_key, '[{"message": "older"}, {"message": "<b>younger</b>"}]')
    page = baselime.get("/inbox/acme/prod").get_data(as_text=True)
    assert page.index("younger") < page.index("older")
    assert "<b>younger" not in page
    assert "older" not in baselime.get("/inbox/birch/prod").get_data(as_text=True)
    assert baselime.get("/inbox/acme/nowhere").status_code == 404
