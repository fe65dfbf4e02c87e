"""The quick lane answers as Flask does, word for word, and Flask is not asked when all is plain."""

import json
from collections.abc import Iterable
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from werkzeug.datastructures import Headers
from werkzeug.test import Client
from werkzeug.wrappers import Response

from tests.api.conftest import World
from webapp.app import create_app
from webapp.core import events
from webapp.core.api_keys import Scope

EVENTS = "/api/v1/events"
EVENT = {"user": "u_1", "id": "1", "type": "deployment"}


def _without_lane(world: World) -> Client:
    app = create_app(world.runtime)

    def behind(environ: Any, start_response: Any) -> Iterable[bytes]:
        return Flask.wsgi_app(app, environ, start_response)

    return Client(behind, Response)


def _with_lane_alone(world: World) -> Client:
    """An application whose lane has nothing behind it."""
    app = create_app(world.runtime)
    app.wsgi_app._app = Mock(side_effect=AssertionError("this came to Flask"))  # type: ignore[attr-defined]
    return Client(app.wsgi_app, Response)


def _told(answer: Any) -> tuple[int, dict[str, str], Any]:
    """All of an answer but what is drawn anew for each."""
    headers = {name: value for name, value in answer.headers if name != "X-Request-Id"}
    assert len(answer.headers["X-Request-Id"]) == 36
    body = json.loads(answer.data)
    body.pop("instance", None)
    return answer.status_code, headers, body


def _ask(client: Client, path: str, headers: Any, body: bytes | None = None, **more: Any) -> Any:
    kind = {} if body is None else {"method": "POST", "content_type": "application/json", "data": body}
    return client.open(path, headers=Headers(headers), **(kind | more))


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (EVENT, {}),
        ([EVENT, EVENT | {"id": "2"}], {}),
        (EVENT | {"user": "nobody"}, {}),
        (EVENT | {"id": 7}, {}),
        ("no event", {}),
        (EVENT, {"content_type": "text/plain"}),
        (EVENT, {"content_type": "application/json; charset=utf-8"}),
        (EVENT | {"data": {"text": "x" * 300_000}}, {}),
        (EVENT, {"base_url": "http://elsewhere.example"}),
        (EVENT, {"method": "PUT"}),
    ],
    ids=lambda value: None,
)
def test_events_are_answered_the_same(world: World, body: Any, more: dict[str, Any]) -> None:
    world.user("u_1")
    key = world.key(Scope.EVENTS_WRITE)
    data = json.dumps(body).encode()
    _ask(world.client, EVENTS, key, data)  # so that both of these find it known
    quick, slow = (_ask(client, EVENTS, key, data, **more) for client in (world.client, _without_lane(world)))
    assert _told(quick) == _told(slow)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer hp_x"}, {"Authorization": "Basic eA=="}])
def test_a_caller_without_a_good_key_is_answered_the_same(world: World, headers: dict[str, str]) -> None:
    data = json.dumps(EVENT).encode()
    quick, slow = (_ask(client, EVENTS, headers, data) for client in (world.client, _without_lane(world)))
    assert _told(quick) == _told(slow)
    assert quick.status_code == 401


def test_a_body_that_ends_early_is_answered_the_same(world: World) -> None:
    key = world.key(Scope.EVENTS_WRITE)
    more = {"environ_overrides": {"CONTENT_LENGTH": "1000"}}
    quick, slow = (
        _ask(client, EVENTS, key, b'{"id"', **more) for client in (world.client, _without_lane(world))
    )
    assert _told(quick) == _told(slow)
    assert quick.status_code == 400


@pytest.mark.parametrize(
    "query", ["", "?min_ttl=5", "?min_ttl=5&scope=", "?min_ttl=x", "?other=1", "?scope=%20"]
)
def test_access_tokens_are_answered_the_same(world: World, query: str) -> None:
    held = world.connect(world.user("u_1"))
    key = world.key(Scope.CREDENTIALS_READ)
    path = f"/api/v1/connections/{held.connection}/access-token{query}"
    quick, slow = (_ask(client, path, key) for client in (world.client, _without_lane(world)))
    assert _told(quick) == _told(slow)


def test_plain_requests_do_not_come_to_flask(world: World) -> None:
    held = world.connect(world.user("u_1"))
    key = world.key(Scope.EVENTS_WRITE, Scope.CREDENTIALS_READ)
    lane = _with_lane_alone(world)
    path = f"/api/v1/connections/{held.connection}/access-token"
    assert _ask(lane, EVENTS, key, json.dumps(EVENT).encode()).status_code == 202
    assert _ask(lane, path, key).status_code == 200
    assert _ask(lane, f"{path}?min_ttl=5", key).status_code == 200
    with pytest.raises(AssertionError, match="came to Flask"):
        _ask(lane, "/healthz", key)


def test_what_failed_in_the_lane_is_not_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.user("u_1")
    tried = Mock(side_effect=OperationalError("INSERT", {}, Exception("database is locked")))
    monkeypatch.setattr(events, "accept", tried)
    answer = _ask(world.client, EVENTS, world.key(Scope.EVENTS_WRITE), json.dumps(EVENT).encode())
    assert (answer.status_code, answer.json["type"]) == (503, "/problems/overloaded")
    assert tried.call_count == 1
