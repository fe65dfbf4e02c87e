"""Every kind of fault: what the vendor does, and what it answers."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.sandbox.librato_client import Asker
from tests.sandbox.test_baselime_install import authorize, environments, exchange, granted, refresh
from tests.sandbox.test_last9_tokens import access_token, look
from tests.sandbox.test_last9_tokens import exchange as exchange_last9
from webapp.sandbox import World
from webapp.sandbox.faults import ENDPOINTS, KINDS, UnknownFaultError, parse
from webapp.sandbox.spoiling import Dropped


def switch_on(
    world: World, kind: str, vendor: str = "baselime", endpoint: str = "events", **more: object
) -> None:
    world.desk.faults.add(parse({"vendor": vendor, "endpoint": endpoint, "kind": kind, **more}))


def send(events: FlaskClient, key: str, *items: object) -> TestResponse:
    return events.post("/v1/logs", json=list(items) or [{"n": 1}], headers={"x-api-key": key})


def taken(world: World) -> list[object]:
    return [one.event for one in world.desk.recorder.received()]


def test_a_status_is_answered_before_anything_is_done(
    events: FlaskClient, world: World, ingest_key: str
) -> None:
    switch_on(world, "status", status=503, retry_after=7)
    answer = send(events, ingest_key)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert answer.get_json() == {"message": "Internal Error"}
    assert taken(world) == []


def test_a_status_may_have_any_body(baselime: FlaskClient, world: World) -> None:
    access = granted(baselime)["accessToken"]
    switch_on(world, "status", endpoint="environments", status=200, body=[], times=1)
    assert environments(baselime, access).get_json() == []
    switch_on(world, "status", endpoint="environments", status=200, body="surprise", times=1)
    assert environments(baselime, access).get_data(as_text=True) == "surprise"
    assert len(environments(baselime, access).get_json()) == 2


def test_a_delay_ends_as_usual(events: FlaskClient, world: World, ingest_key: str) -> None:
    switch_on(world, "delay", delay=0.05)
    started = time.monotonic()
    assert send(events, ingest_key).status_code == 202
    assert time.monotonic() - started >= 0.05


def test_a_delay_and_another_fault_befall_the_same_request(
    events: FlaskClient, world: World, ingest_key: str
) -> None:
    switch_on(world, "status", status=500)
    switch_on(world, "delay", delay=0.05)
    started = time.monotonic()
    assert send(events, ingest_key).status_code == 500
    assert time.monotonic() - started >= 0.05


def test_a_dropped_request_was_not_done(events: FlaskClient, world: World, ingest_key: str) -> None:
    switch_on(world, "drop", times=1)
    with pytest.raises(Dropped):
        send(events, ingest_key)
    assert taken(world) == []
    assert send(events, ingest_key).status_code == 202


def test_a_lost_answer_was_to_a_request_that_was_done(
    events: FlaskClient, world: World, ingest_key: str
) -> None:
    switch_on(world, "drop_after", times=1)
    with pytest.raises(Dropped):
        send(events, ingest_key)
    assert taken(world) == [{"n": 1}]


def test_a_lost_answer_spends_the_code(baselime: FlaskClient, world: World) -> None:
    code = authorize(baselime)
    switch_on(world, "drop_after", endpoint="token", times=1)
    with pytest.raises(Dropped):
        exchange(baselime, code)
    assert exchange(baselime, code).status_code == 400


def test_an_html_page_comes_instead(events: FlaskClient, world: World, ingest_key: str) -> None:
    switch_on(world, "html")
    answer = send(events, ingest_key)
    assert (answer.status_code, answer.mimetype) == (502, "text/html")
    assert taken(world) == []


@pytest.mark.parametrize("seconds", [None, 0, 30])
def test_a_rate_limit_is_told(
    events: FlaskClient, world: World, ingest_key: str, seconds: int | None
) -> None:
    switch_on(world, "rate_limited", retry_after=seconds)
    answer = send(events, ingest_key)
    assert answer.status_code == 429
    assert answer.headers.get("Retry-After") == (None if seconds is None else str(seconds))


def test_librato_tells_a_rate_limit_by_403_and_a_singular_error(ask: Asker, world: World) -> None:
    switch_on(world, "rate_limited", "librato", "annotations", status=403)
    answer = ask("POST", "/v1/annotations/x", json={"title": "t"})
    assert answer.status_code == 403
    assert set(answer.get_json()) == {"error", "request_time"}
    assert "X-Librato-RateLimit-Std" not in answer.headers


def test_vendors_word_errors_in_their_own_shape(ask: Asker, last9: FlaskClient, world: World) -> None:
    switch_on(world, "status", "last9", "token")
    switch_on(world, "status", "librato", "metrics")
    assert exchange_last9(last9, "x").get_json() == {"error": "Internal Error"}
    assert ask("GET", "/v1/metrics").get_json() == {"errors": {"request": ["Internal Error"]}}


def test_a_poison_event_is_picked_out_and_the_rest_is_taken(
    events: FlaskClient, world: World, ingest_key: str
) -> None:
    switch_on(world, "poison", marker="skull")
    answer = send(events, ingest_key, {"n": 1}, {"n": 2, "m": "a skull"}, {"n": 3})
    assert answer.status_code == 400
    assert answer.get_json() == {"message": "Bad Request", "invalid": [{"n": 2, "m": "a skull"}]}
    assert taken(world) == [{"n": 1}, {"n": 3}]
    assert send(events, ingest_key, {"n": 4}).status_code == 202


def test_a_poison_event_with_a_status_spoils_the_whole_batch(
    events: FlaskClient, world: World, ingest_key: str
) -> None:
    switch_on(world, "poison", marker="skull", status=400)
    answer = send(events, ingest_key, {"n": 1}, {"m": "skull"})
    assert (answer.status_code, answer.get_json()) == (400, {"message": "Bad Request"})
    assert taken(world) == []
    assert send(events, ingest_key, {"n": 1}).status_code == 202


def test_poison_is_refused_whole_elsewhere(ask: Asker, world: World) -> None:
    switch_on(world, "poison", "librato", "annotations", marker="skull")
    assert ask("POST", "/v1/annotations/x", json={"title": "skull"}).status_code == 400
    assert ask("POST", "/v1/annotations/x", json={"title": "rose"}).status_code == 201


def test_an_empty_answer_was_to_a_request_that_was_done(
    events: FlaskClient, world: World, ingest_key: str
) -> None:
    switch_on(world, "empty")
    answer = send(events, ingest_key)
    assert (answer.status_code, answer.data) == (200, b"")
    assert taken(world) == [{"n": 1}]


def test_json_can_break_off(baselime: FlaskClient, world: World) -> None:
    access = granted(baselime)["accessToken"]
    switch_on(world, "bad_json", endpoint="environments")
    answer = environments(baselime, access)
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.data)


def test_a_slow_answer_arrives_whole(events: FlaskClient, world: World, ingest_key: str) -> None:
    switch_on(world, "slow", delay=0.05)
    started = time.monotonic()
    answer = send(events, ingest_key)
    assert answer.get_json() == {"message": "Request Accepted"}
    assert time.monotonic() - started >= 0.05


def test_access_tokens_can_be_taken_for_expired(
    baselime: FlaskClient, last9: FlaskClient, world: World
) -> None:
    access, other = granted(baselime)["accessToken"], access_token(last9, world)
    switch_on(world, "expired", endpoint="environments", times=1)
    switch_on(world, "expired", "last9", "datasources", times=1)
    assert environments(baselime, access).status_code == 401
    assert environments(baselime, access).status_code == 200
    assert look(last9, other).get_json() == {"error": "Authorization token is expired"}
    assert look(last9, other).status_code == 200


def test_refresh_tokens_can_be_taken_for_revoked(
    baselime: FlaskClient, last9: FlaskClient, world: World
) -> None:
    refresh_token = granted(baselime)["refreshToken"]
    other = world.last9.tokens.refresh_tokens()["write"]
    switch_on(world, "revoked", endpoint="token", times=1)
    switch_on(world, "revoked", "last9", "token", times=1)
    assert refresh(baselime, refresh_token).status_code == 400
    assert refresh(baselime, refresh_token).status_code == 200
    assert exchange_last9(last9, other).status_code == 401
    assert exchange_last9(last9, other).status_code == 200


def test_rotation_punishes_an_old_refresh_token_of_baselime(baselime: FlaskClient, world: World) -> None:
    first, bystander = granted(baselime), granted(baselime)
    switch_on(world, "rotate", endpoint="token")
    second = refresh(baselime, first["refreshToken"]).get_json()
    third = refresh(baselime, second["refreshToken"]).get_json()
    assert len({first["refreshToken"], second["refreshToken"], third["refreshToken"]}) == 3
    assert environments(baselime, third["accessToken"]).status_code == 200
    assert refresh(baselime, second["refreshToken"]).status_code == 400
    assert refresh(baselime, third["refreshToken"]).status_code == 400
    assert environments(baselime, third["accessToken"]).status_code == 401
    assert refresh(baselime, bystander["refreshToken"]).status_code == 200


def test_an_old_refresh_token_is_punished_after_the_rotation_has_ended_too(
    baselime: FlaskClient, world: World
) -> None:
    first = granted(baselime)
    switch_on(world, "rotate", endpoint="token", times=1)
    second = refresh(baselime, first["refreshToken"]).get_json()
    assert set(refresh(baselime, second["refreshToken"]).get_json()) == {
        "accessToken",
        "expiresIn",
        "tokenType",
    }
    assert refresh(baselime, first["refreshToken"]).status_code == 400
    assert refresh(baselime, second["refreshToken"]).status_code == 400


def test_of_refreshes_at_once_one_wins_and_the_others_end_the_family(
    baselime: FlaskClient, world: World
) -> None:
    refresh_token = granted(baselime)["refreshToken"]
    switch_on(world, "rotate", endpoint="token")

    def attempt(_: int) -> TestResponse:
        return refresh(baselime.application.test_client(), refresh_token)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, range(16)))
    (won,) = [one.get_json() for one in answers if one.status_code == 200]
    assert refresh(baselime, won["refreshToken"]).status_code == 400


def test_rotation_punishes_an_old_refresh_token_of_last9(last9: FlaskClient, world: World) -> None:
    first = world.last9.tokens.refresh_tokens()["write"]
    switch_on(world, "rotate", "last9", "token")
    body = exchange_last9(last9, first).get_json()
    assert body["refresh_token"] != first
    assert look(last9, body["access_token"]).status_code == 200
    assert exchange_last9(last9, first).status_code == 401
    assert exchange_last9(last9, body["refresh_token"]).status_code == 401
    assert look(last9, body["access_token"]).status_code == 401


def test_a_fault_without_an_endpoint_befalls_the_whole_vendor(
    events: FlaskClient, baselime: FlaskClient, otel: FlaskClient, world: World, ingest_key: str
) -> None:
    world.desk.faults.add(parse({"vendor": "baselime", "kind": "status", "status": 500}))
    assert send(events, ingest_key).status_code == 500
    assert exchange(baselime, authorize(baselime)).status_code == 500
    assert otel.post("/v1/logs", json={}, headers={"x-api-key": ingest_key}).status_code == 200


def test_faults_come_in_the_order_they_were_switched_on(
    events: FlaskClient, world: World, ingest_key: str
) -> None:
    switch_on(world, "status", status=500, times=2)
    switch_on(world, "status", status=503, times=1)
    assert [send(events, ingest_key).status_code for _ in range(4)] == [500, 500, 503, 202]


def test_pages_meet_no_faults(baselime: FlaskClient, world: World) -> None:
    world.desk.faults.add(parse({"vendor": "baselime", "kind": "drop"}))
    assert baselime.get("/").status_code == 200
    assert len(authorize(baselime)) == 32


def test_calls_name_the_fault_and_dropped_ones_have_no_status(
    events: FlaskClient, world: World, ingest_key: str
) -> None:
    switch_on(world, "drop_after", times=1)
    with pytest.raises(Dropped):
        send(events, ingest_key)
    send(events, ingest_key)
    calls = world.desk.recorder.calls("baselime")
    assert [(one.n, one.status, one.fault) for one in calls] == [(1, None, "drop_after"), (2, 202, None)]
    assert world.desk.recorder.counts() == {"baselime.events": 2}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "unknown vendor ''; known are baselime, baselime_otel, last9, librato"),
        ({"vendor": ["x"], "kind": "drop"}, "vendor is a text"),
        ({"vendor": "last9", "endpoint": "events", "kind": "drop"}, "known are *, token, change_events"),
        ({"vendor": "last9", "kind": "meteor"}, "known are status, delay"),
        ({"vendor": "last9", "kind": []}, "kind is a text"),
        ({"vendor": "last9", "kind": "drop", "how": 1}, "unknown field how"),
        ({"vendor": "last9", "kind": "drop", "times": 0}, "times"),
        ({"vendor": "last9", "kind": "drop", "times": True}, "times"),
        ({"vendor": "last9", "kind": "status", "status": 99}, "status"),
        ({"vendor": "last9", "kind": "status", "status": 600}, "status"),
        ({"vendor": "last9", "kind": "slow", "delay": -1}, "delay"),
        ({"vendor": "last9", "kind": "rate_limited", "retry_after": "soon"}, "retry_after"),
        ({"vendor": "last9", "kind": "poison"}, "marker"),
        ({"vendor": "last9", "kind": "poison", "marker": ""}, "marker"),
        ({"vendor": "last9", "kind": "drop", "marker": "x"}, "marker"),
        ({"vendor": "librato", "kind": "rotate"}, "rotate can befall only baselime token, last9 token"),
        ({"vendor": "baselime", "endpoint": "events", "kind": "expired"}, "can befall only"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_what_can(data: dict[str, object], words: str) -> None:
    with pytest.raises(UnknownFaultError) as refusal:
        parse(data)
    assert words in str(refusal.value)


def test_every_endpoint_that_can_be_named_exists(world: World) -> None:
    apps = world.vendor_apps()
    served = {
        vendor: {
            rule.endpoint.partition(".")[0] for name in names for rule in apps[name].url_map.iter_rules()
        }
        for vendor, names in {
            "baselime": ("baselime", "baselime_events"),
            "baselime_otel": ("baselime_otel",),
            "last9": ("last9",),
            "librato": ("librato",),
        }.items()
    }
    for vendor, endpoints in ENDPOINTS.items():
        assert {one for one in served[vendor] if not one.startswith(("page_", "static"))} == set(endpoints)


def test_every_kind_is_tried_here() -> None:
    with open(__file__, encoding="utf-8") as own:  # noqa: PTH123 — its own text, wherever it lies
        text = own.read()
    assert [kind for kind in KINDS if f'"{kind}"' not in text and kind != "truncate"] == []
