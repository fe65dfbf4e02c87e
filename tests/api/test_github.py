"""Where GitHub delivers: the signature first, then what it says; the same delivery is taken once."""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from tests import github
from tests.api.conftest import World
from webapp.api import github as door
from webapp.api.limits import Buckets
from webapp.core.api_keys import Scope
from webapp.lib import clock


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_wrong", Buckets(door._RATE, door._BURST))


def make(world: World, user: str = "u_1") -> tuple[str, str]:
    """A source by the API: the path of its address, and its secret."""
    world.user(user)
    answer = world.client.post(
        "/api/v1/sources", json={"user": user, "name": "acme/shop"}, headers=world.key(Scope.SOURCES)
    )
    assert answer.status_code == 201, answer.text
    address = answer.json["source"]["address"]
    assert address.startswith(world.runtime.settings.public_url + "/github/")
    return address.removeprefix(world.runtime.settings.public_url), answer.json["secret"]


def deliver(world: World, path: str, secret: str, event: str, payload: Any, **more: Any) -> Any:
    headers, body = github.request(secret, event, payload, **more)
    return world.client.post(path, data=body, headers=headers)


def test_a_deployment_becomes_an_event_of_its_user(world: World) -> None:
    path, secret = make(world)
    answer = deliver(world, path, secret, "deployment", github.deployment())
    assert (answer.status_code, answer.json["state"]) == (202, "accepted")
    shown = world.client.get(f"/api/v1/events/{answer.json['id']}", headers=world.key()).json
    assert shown["user"] == str(world.user("u_1"))
    envelope = shown["envelope"]
    assert (envelope["type"], envelope["source"], envelope["state"]) == ("deployment", "github", "start")
    assert envelope["id"] == "72d3162e-cc78-11e3-81ab-4c9367dc0958"


def test_a_stop_carries_when_its_start_was(world: World) -> None:
    path, secret = make(world)
    deliver(world, path, secret, "deployment", github.deployment(), id="a")
    answer = deliver(world, path, secret, "deployment_status", github.deployment_status("success"), id="b")
    shown = world.client.get(f"/api/v1/events/{answer.json['id']}", headers=world.key()).json
    assert shown["envelope"]["started_at"] == "2026-01-02T03:04:05.000Z"


def test_a_redelivery_is_a_duplicate(world: World) -> None:
    path, secret = make(world)
    states = [
        deliver(world, path, secret, "release", github.release("published")).json["state"] for _ in range(2)
    ]
    assert states == ["accepted", "duplicate"]
    # The same delivery, told otherwise, as another version of ours would read it.
    other = deliver(world, path, secret, "release", github.release("published", tag_name="v2"))
    assert other.json["state"] == "duplicate"
    assert world.events() == 1


def test_a_ping_is_answered_and_other_events_are_ignored_with_the_reason(world: World) -> None:
    path, secret = make(world)
    assert deliver(world, path, secret, "ping", github.PING).json == {"state": "pong"}
    ignored = deliver(world, path, secret, "push", {"ref": "main"})
    assert (ignored.status_code, ignored.json["state"]) == (202, "ignored")
    assert ignored.json["why"] == "push says nothing of a deployment."
    assert world.events() == 0


@pytest.mark.parametrize("given", ["", "sha256=", "sha256=" + "0" * 64, "sha1=abc", "☃"])
def test_what_is_not_signed_by_its_secret_is_refused_before_it_is_read(world: World, given: str) -> None:
    path, secret = make(world)
    headers, body = github.request(secret, "deployment", b"{not even json")
    answer = world.client.post(path, data=body, headers={**headers, "X-Hub-Signature-256": given})
    assert (answer.status_code, answer.json["type"]) == (401, "/problems/signature-wrong")
    assert world.events() == 0


def test_a_signature_is_of_the_very_bytes_and_of_this_very_source(world: World) -> None:
    path, secret = make(world)
    _, others = make(world, "u_2")
    assert deliver(world, path, others, "deployment", github.deployment()).status_code == 401
    headers, body = github.request(secret, "deployment", github.deployment())
    assert world.client.post(path, data=body + b" ", headers=headers).status_code == 401
    assert world.client.post(path, data=body, headers=headers).status_code == 202


def test_who_signs_wrongly_too_often_waits_and_nobody_else_does(world: World) -> None:
    path, secret = make(world)
    codes = [deliver(world, path, "wrong", "ping", github.PING).status_code for _ in range(12)]
    assert codes == [401] * 10 + [429] * 2
    headers, body = github.request(secret, "ping", github.PING)
    assert world.client.post(path, data=body, headers=headers).status_code == 429
    elsewhere = {"REMOTE_ADDR": "127.0.0.9"}
    assert world.client.post(path, data=body, headers=headers, environ_base=elsewhere).status_code == 202


def test_a_new_secret_works_at_once_and_the_old_one_for_a_day(world: World) -> None:
    path, old = make(world)
    source_id = path.rpartition("/")[2]
    key = world.key(Scope.SOURCES)
    changed = world.client.post(f"/api/v1/sources/{source_id}/secret", headers=key)
    new = changed.json["secret"]
    assert changed.json["source"]["previous_until"] is not None
    for secret in (old, new):
        assert deliver(world, path, secret, "ping", github.PING).status_code == 202
    with time_machine.travel(clock.now() + timedelta(days=1, seconds=1), tick=True):
        assert deliver(world, path, old, "ping", github.PING).status_code == 401
        assert deliver(world, path, new, "ping", github.PING).status_code == 202


def test_a_source_that_ended_takes_nothing_and_keeps_no_secret(world: World) -> None:
    path, secret = make(world)
    source_id = path.rpartition("/")[2]
    key = world.key(Scope.SOURCES)
    ended = world.client.delete(f"/api/v1/sources/{source_id}", headers=key)
    assert ended.json["ended_at"] is not None
    assert deliver(world, path, secret, "ping", github.PING).status_code == 404
    assert world.client.post(f"/api/v1/sources/{source_id}/secret", headers=key).status_code == 409
    assert world.client.delete(f"/api/v1/sources/{source_id}", headers=key).status_code == 409


def test_sources_are_listed_without_their_secrets(world: World) -> None:
    path, secret = make(world)
    deliver(world, path, secret, "ping", github.PING)
    answer = world.client.get("/api/v1/sources", headers=world.key(Scope.SOURCES))
    (item,) = answer.json["items"]
    assert (item["name"], item["kind"]) == ("acme/shop", "github")
    assert item["used_at"] is not None
    assert secret not in answer.text
    bound = world.key(Scope.SOURCES, user_id=world.user("u_2"))
    assert world.client.get("/api/v1/sources", headers=bound).json["items"] == []


def test_a_key_bound_to_a_user_makes_sources_for_that_user_alone(world: World) -> None:
    mine, _ = world.user("u_1"), world.user("u_2")
    key = world.key(Scope.SOURCES, user_id=mine)
    made = world.client.post("/api/v1/sources", json={"name": "x"}, headers=key)
    assert made.json["source"]["user"] == str(mine)
    other = world.client.post("/api/v1/sources", json={"name": "x", "user": "u_2"}, headers=key)
    assert other.status_code == 422


def test_only_json_of_a_bounded_size_is_taken(world: World) -> None:
    path, secret = make(world)
    headers, body = github.request(secret, "ping", b"payload=%7B%7D")
    form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
    answer = world.client.post(path, data=body, headers=form)
    assert (answer.status_code, answer.headers["Accept-Post"]) == (415, "application/json")
    assert deliver(world, path, secret, "ping", b" " * 2_000_001).status_code == 413
    assert deliver(world, path, secret, "deployment", b"[]").status_code == 422
    assert deliver(world, path, secret, "deployment", b'{"a": NaN}').status_code == 422
    assert deliver(world, path, secret, "deployment", github.deployment(), id="").status_code == 422
    unknown = "/github/00000000-0000-0000-0000-000000000000"
    assert deliver(world, unknown, secret, "ping", github.PING).status_code == 404


def test_no_secret_is_stored_or_written_in_the_clear(world: World) -> None:
    _, secret = make(world)
    with world.runtime.database.read() as session:
        rows = [tuple(row) for row in session.connection().exec_driver_sql("SELECT * FROM sources")]
        lines = [tuple(row) for row in session.connection().exec_driver_sql("SELECT * FROM audit_lines")]
    assert secret not in repr((rows, lines))
    assert json.dumps(secret) not in repr(rows)
