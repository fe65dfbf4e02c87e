"""POST /api/v1/events: stored for good, or refused with every fault named."""

import gzip
import json
from io import BytesIO
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from structlog.testing import capture_logs

from tests.api.conftest import World
from webapp.api import connections
from webapp.core import api_keys, events
from webapp.core.api_keys import Scope
from webapp.errors import BacklogFull, EventsTooFast, Overloaded, SealBroken

JSON = "application/json"


def send(world: World, body: Any, *, key: dict[str, str] | None = None, **others: Any) -> Any:
    """Post `body` (bytes as they are, anything else as JSON)."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": JSON, **(world.key(Scope.EVENTS_WRITE) if key is None else key), **others}
    return world.client.post("/api/v1/events", data=data, headers=headers)


def problem(answer: Any) -> tuple[int, str]:
    """Status and type, after a check of the form that RFC 9457 asks for."""
    assert answer.content_type == "application/problem+json"
    assert answer.json["status"] == answer.status_code
    assert answer.json["title"]
    assert answer.json["detail"]
    assert answer.json["instance"] == f"urn:uuid:{answer.headers['X-Request-Id']}"
    return answer.status_code, answer.json["type"]


def event(**others: Any) -> dict[str, Any]:
    return {"user": "u_1", "id": "1", "type": "deployment", **others}


def test_an_event_is_accepted_once_and_answered_with_its_id(world: World) -> None:
    world.user("u_1")
    first, second = send(world, event()), send(world, event())
    assert first.status_code == second.status_code == 202
    assert (first.json["accepted"], first.json["duplicates"]) == (1, 0)
    assert (second.json["accepted"], second.json["duplicates"]) == (0, 1)
    assert first.json["ids"] == second.json["ids"]
    assert world.events() == 1


def test_many_events_for_many_users_are_one_request(world: World) -> None:
    world.user("u_1")
    other = world.user("u_2")
    answer = send(world, [event(), event(user=str(other)), event(id="2")])
    assert answer.json["accepted"] == 3
    assert len(set(answer.json["ids"])) == 3
    assert world.events() == 3


def test_cloudevents_are_taken_one_by_one_and_in_batches(world: World) -> None:
    world.user("u_1")
    item = {"specversion": "1.0", "id": "1", "source": "/ci", "type": "com.example.deployed", "user": "u_1"}
    one = send(world, item, **{"Content-Type": "application/cloudevents+json; charset=utf-8"})
    many = send(world, [item, {**item, "id": "2"}], **{"Content-Type": "application/cloudevents-batch+json"})
    assert (one.status_code, many.status_code) == (202, 202)
    assert (many.json["accepted"], many.json["duplicates"]) == (1, 1)


def test_one_bad_item_refuses_the_request_and_names_each_fault(world: World) -> None:
    world.user("u_1")
    answer = send(world, [event(), event(id="2", time="noon"), event(id="3", user="nobody"), event(id=4)])
    assert problem(answer) == (422, "/problems/invalid-events")
    assert {fault["pointer"] for fault in answer.json["errors"]} == {"/1/time", "/2/user", "/3/id"}
    assert world.events() == 0


def test_an_item_of_bad_json_hides_no_fault_of_the_others(world: World) -> None:
    world.user("u_1")
    items = [
        event(data={"x": float("nan")}),
        event(id="2", time="noon"),
        event(id="3", user="nobody"),
        event(),
    ]
    answer = send(world, json.dumps(items).encode())
    assert problem(answer) == (422, "/problems/invalid-events")
    assert {fault["pointer"] for fault in answer.json["errors"]} == {"/0", "/1/time", "/2/user"}
    assert world.events() == 0


def test_an_unknown_user_is_named_as_a_fault(world: World) -> None:
    answer = send(world, [event()])
    assert problem(answer) == (422, "/problems/invalid-events")
    assert answer.json["errors"][0]["pointer"] == "/0/user"


def test_another_event_under_a_known_identity_is_a_conflict(world: World) -> None:
    world.user("u_1")
    send(world, event())
    answer = send(world, [event(id="new"), event(type="rollback")])
    assert problem(answer) == (409, "/problems/identity-conflict")
    assert [fault["pointer"] for fault in answer.json["errors"]] == ["/1"]
    assert world.events() == 1


def test_a_gzipped_body_is_unpacked(world: World) -> None:
    world.user("u_1")
    answer = send(world, gzip.compress(json.dumps(event()).encode()), **{"Content-Encoding": "gzip"})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (gzip.compress(b" " * 6_000_001), {"Content-Encoding": "gzip"}, (422, "/problems/invalid-events")),
        (b" " * 60_000_000, {}, (422, "/problems/invalid-events")),
        (b" " * 6_000_001, {}, (422, "/problems/invalid-events")),
        (gzip.compress(b"{}")[:-3], {"Content-Encoding": "gzip"}, (400, "/problems/bad-request")),
        (gzip.compress(b"{}") + b"more", {"Content-Encoding": "gzip"}, (400, "/problems/bad-request")),
        (b"{}", {"Content-Encoding": "gzip"}, (400, "/problems/bad-request")),
        (b"{}", {"Content-Encoding": "br"}, (415, "/problems/unsupported-media-type")),
        (b"{}", {"Content-Type": "text/plain"}, (415, "/problems/unsupported-media-type")),
        (b"{}", {"Content-Type": ""}, (415, "/problems/unsupported-media-type")),
        (b"", {}, (422, "/problems/invalid-events")),
        (b'{"id": NaN}', {}, (422, "/problems/invalid-events")),
        (b"[" * 100_000, {}, (422, "/problems/invalid-events")),
        (b'{"id": "\\u0000"}', {}, (422, "/problems/invalid-events")),
        (b"\xff", {}, (422, "/problems/invalid-events")),
    ],
)
def test_a_body_that_cannot_be_taken_is_a_problem(
    world: World, body: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    assert problem(send(world, body, **headers)) == expected


@pytest.mark.parametrize("size", [6_000_001, 7_000_000])
def test_a_body_of_no_stated_length_is_not_cut_but_refused(world: World, size: int) -> None:
    world.user("u_1")
    stream = BytesIO(json.dumps(event()).encode().ljust(size) + b"and more")
    answer = world.client.post(
        "/api/v1/events",
        input_stream=stream,
        headers={"Content-Type": JSON, "Transfer-Encoding": "chunked", **world.key()},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert problem(answer) == (422, "/problems/invalid-events")
    assert world.events() == 0


def test_a_body_of_an_unknown_form_is_told_which_are_known(world: World) -> None:
    answer = send(world, b"{}", **{"Content-Type": "text/plain"})
    assert answer.headers["Accept-Post"].split(", ") == [
        JSON,
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    ]
    assert send(world, b"{}", **{"Content-Encoding": "br"}).headers["Accept-Encoding"] == "gzip"


def test_a_busy_database_asks_to_send_again_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> None:
        raise Overloaded(retry_after=3.2)

    monkeypatch.setattr(events, "accept", busy)
    answer = send(world, event())
    assert problem(answer) == (503, "/problems/overloaded")
    assert answer.headers["Retry-After"] == "4"


def test_a_pool_without_a_free_connection_asks_to_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any, **__: Any) -> None:
        raise PoolTimeout

    monkeypatch.setattr(connections, "list_connections", busy)
    answer = world.client.get("/api/v1/connections", headers=world.key())
    assert problem(answer) == (503, "/problems/overloaded")


def test_a_database_that_is_away_asks_to_come_again_wherever_that_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the API key is looked up, before anything of a request is read."""

    def gone(*_: Any, **__: Any) -> None:
        raise OperationalError("SELECT 1", {}, Exception("connection failed: Connection refused"))

    monkeypatch.setattr(api_keys, "admit", gone)
    assert problem(send(world, event())) == (503, "/problems/overloaded")


@pytest.mark.parametrize("fault", [RuntimeError("canary"), SealBroken("canary")])
def test_a_fault_of_ours_is_logged_and_told_to_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise fault

    monkeypatch.setattr(events, "accept", broken)
    with capture_logs() as lines:
        answer = send(world, event())
    assert problem(answer) == (500, "/problems/internal-error")
    assert "canary" not in f"{answer.text}{lines}"
    assert [line["request_id"] for line in lines] == [answer.headers["X-Request-Id"]]


def test_a_key_of_one_user_sends_only_for_that_user(world: World) -> None:
    mine, _ = world.user("u_1"), world.user("u_2")
    key = world.key(Scope.EVENTS_WRITE, user_id=mine)
    own = {"id": "1", "type": "deployment"}
    assert send(world, own, key=key).status_code == 202
    assert send(world, {**own, "user": "u_1"}, key=key).json["duplicates"] == 1
    answer = send(world, {**own, "id": "2", "user": "u_2"}, key=key)
    assert problem(answer) == (422, "/problems/invalid-events")
    assert world.events() == 1


def test_cookies_and_other_sites_mean_nothing(world: World) -> None:
    world.user("u_1")
    answer = send(world, event(), Cookie="hitchpost-session=x", Origin="https://evil.example")
    assert answer.status_code == 202
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]
    assert "Set-Cookie" not in answer.headers


def test_a_limit_of_the_user_answers_429_with_a_problem_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.user("u_1")
    for error, slug in (
        (BacklogFull("Full.", stream_id=uuid4(), retry_after=10.0), "backlog-full"),
        (EventsTooFast("Too fast.", retry_after=0.2), "too-many-events"),
    ):
        monkeypatch.setattr(events, "accept", Mock(side_effect=error))
        answer = send(world, event())
        assert problem(answer) == (429, f"/problems/{slug}")
        assert answer.headers["Retry-After"] == ("10" if slug == "backlog-full" else "1")


def test_a_backlog_is_shown_before_its_limit_bites(world: World) -> None:
    settings = world.runtime.settings.model_copy(update={"backlog_events": 10})
    object.__setattr__(world.runtime, "settings", settings)
    held = world.connect(world.user("u_1"))
    assert held
    key = world.key()
    assert "Hitchpost-Backlog" not in send(world, [event(id=str(n)) for n in range(7)], key=key).headers
    assert send(world, event(id="8th"), key=key).headers["Hitchpost-Backlog"] == "80%"
    shown = world.client.get("/api/v1/backlog?user=u_1", headers=key).json
    assert (shown["events"], shown["most_events"], shown["share"]) == (8, 10, 0.8)
    assert "hitchpost_backlog_fullest_ratio 0.8" in world.client.get("/metrics", headers=key).text
    full = send(world, [event(id=f"more-{n}") for n in range(3)], key=key)
    assert problem(full) == (429, "/problems/backlog-full")
    assert "may be 10 events" in full.json["detail"]
