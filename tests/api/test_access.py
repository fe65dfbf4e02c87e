"""Who may do what: every operation, without a key, without the scope, and with a key of somebody else."""

import re
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from tests.api.conftest import Held, World
from webapp.api import OPERATIONS, PREFIX, limits
from webapp.api.operations import Operation
from webapp.core import api_keys
from webapp.core.api_keys import Scope
from webapp.core.audit import HITCHPOST

every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
of_one_thing = pytest.mark.parametrize(
    "operation",
    [operation for operation in OPERATIONS if "<" in operation.path],
    ids=lambda operation: operation.name,
)

#: What a good request of each operation that needs a body carries.
BODIES: dict[str, Any] = {
    "send_events": {"id": "1", "type": "deployment"},
    "make_connect_session": {"external_id": "u_1"},
    "make_source": {"user": "u_1", "name": "acme/shop"},
    "rewind_destination": {"to_seq": 1},
    "count_rewind": {"to_seq": 1},
    "change_destination": {"settings": {}},
    "preview_destination": {"settings": {}},
}

MISSING = Held(*(UUID(int=number) for number in range(1, 6)))


def ask(client: FlaskClient, operation: Operation, held: Held, headers: dict[str, str]) -> Any:
    """A request that is well-formed, for the things of `held`."""
    ids = {
        "connection_id": str(held.connection),
        "destination_id": str(held.destination),
        "letter_id": str(held.dead_letter),
        "source_id": str(held.source),
        "user": str(held.user),
        "event_id": f"{held.connection.hex}-1",
    }
    path = re.sub(r"<(?:\w+:)?(\w+)>", lambda part: ids[part[1]], operation.path)
    body = BODIES.get(operation.name)
    return client.open(PREFIX + path, method=operation.method, headers=headers, json=body)


@every_operation
def test_without_a_key_nothing_is_done(world: World, operation: Operation) -> None:
    answer = ask(world.client, operation, MISSING, {})
    assert answer.status_code == 401
    assert answer.json["type"] == "/problems/unauthorized"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


@every_operation
def test_a_key_needs_the_very_scope(world: World, operation: Operation) -> None:
    others = [scope for scope in Scope if scope is not operation.scope]
    answer = ask(world.client, operation, MISSING, world.key(*others))
    assert answer.status_code == 403
    assert answer.json["type"] == "/problems/forbidden"
    assert f'scope="{operation.scope.value}"' in answer.headers["WWW-Authenticate"]


@every_operation
def test_that_scope_alone_is_enough(world: World, operation: Operation) -> None:
    owner = world.user("u_1")
    held = world.connect(owner)
    answer = ask(world.client, operation, held, world.key(operation.scope))
    assert answer.status_code not in {401, 403, 500}


@of_one_thing
def test_what_is_missing_and_what_is_somebody_elses_look_the_same(world: World, operation: Operation) -> None:
    held, stranger = world.connect(world.user("u_1")), world.user("u_2")
    key = world.key(user_id=stranger)
    foreign, missing = ask(world.client, operation, held, key), ask(world.client, operation, MISSING, key)
    assert foreign.status_code == missing.status_code == 404
    assert {**foreign.json, "instance": ""} == {**missing.json, "instance": ""}


@of_one_thing
def test_a_foreign_key_changes_nothing(world: World, operation: Operation) -> None:
    held, stranger = world.connect(world.user("u_1")), world.user("u_2")
    before = world.client.get(f"{PREFIX}/destinations/{held.destination}", headers=world.key()).json
    ask(world.client, operation, held, world.key(user_id=stranger))
    assert world.client.get(f"{PREFIX}/destinations/{held.destination}", headers=world.key()).json == before


@pytest.mark.parametrize(
    "presented",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic aHA6aHA=",
        "Bearer hp_abcdefgh_x",
        "Bearer hp_",
        "Bearer x\ty",
        "hp_abc",
    ],
)
def test_no_malformed_key_lets_anybody_in(world: World, presented: str) -> None:
    answer = world.client.get(f"{PREFIX}/connections", headers={"Authorization": presented})
    assert answer.status_code == 401


def test_a_key_in_the_address_or_a_cookie_is_no_key(world: World) -> None:
    text = world.key()["Authorization"].removeprefix("Bearer ")
    world.client.set_cookie("Authorization", f"Bearer {text}")
    assert world.client.get(f"{PREFIX}/connections?access_token={text}").status_code == 401


def test_a_revoked_key_is_refused(world: World) -> None:
    with world.runtime.database.write() as session:
        key, text = api_keys.create(session, HITCHPOST, "gone", [Scope.CONNECTIONS_READ])
        api_keys.revoke(session, HITCHPOST, key.id)
    answer = world.client.get(f"{PREFIX}/connections", headers={"Authorization": f"Bearer {text.reveal()}"})
    assert answer.status_code == 401


def test_every_route_below_the_prefix_is_an_operation(world: World) -> None:
    served = {
        (method, rule.rule)
        for rule in world.client.application.url_map.iter_rules()
        if rule.rule.startswith(f"{PREFIX}/") and rule.rule != f"{PREFIX}/openapi.json"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == {(operation.method, PREFIX + operation.path) for operation in OPERATIONS}


def test_an_unknown_address_and_a_wrong_method_are_problems(world: World) -> None:
    missing = world.client.get(f"{PREFIX}/nothing")
    assert (missing.status_code, missing.json["type"]) == (404, "/problems/not-found")
    wrong = world.client.put(f"{PREFIX}/events")
    assert (wrong.status_code, wrong.json["type"]) == (405, "/problems/method-not-allowed")
    assert "POST" in wrong.headers["Allow"]


def test_a_key_that_asks_too_fast_is_told_to_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_usual", limits.Buckets(rate=0.01, burst=2.0))
    key = world.key(Scope.CONNECTIONS_READ)
    answers = [world.client.get(f"{PREFIX}/connections", headers=key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json["type"] == "/problems/too-many-requests"
    assert 90 <= int(answers[2].headers["Retry-After"]) <= 100
    other = world.client.get(f"{PREFIX}/connections", headers=world.key(Scope.CONNECTIONS_READ))
    assert other.status_code == 200
