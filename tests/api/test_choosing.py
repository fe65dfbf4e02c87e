"""What a destination wants, and in which form: tried on a preview, then changed."""

from typing import Any

import pytest

from tests.api.conftest import Held, World
from webapp.core.api_keys import Scope
from webapp.core.runtime import Bell

HERE = "/api/v1/destinations"
SETTINGS = {
    "types": ["deploy*"],
    "where": "data.environment = production",
    "mapping": ["data.region -> data.cloud.region", "- data.secret"],
    "fresh_for": "15 m",
}


@pytest.fixture
def held(world: World) -> Held:
    """A connection of `u_1` with one destination, and two events."""
    made = world.connect(world.user("u_1"))
    items = [
        {"user": "u_1", "id": name, "type": "deployment", "data": {"environment": name, "secret": "s"}}
        for name in ("production", "staging")
    ]
    world.client.post("/api/v1/events", json=items, headers=world.key())
    world.rings.clear()
    return made


def post(world: World, held: Held, what: str, settings: Any, key: dict[str, str] | None = None) -> Any:
    address = f"{HERE}/{held.destination}/{what}"
    return world.client.post(address, json={"settings": settings}, headers=key or world.key())


def test_settings_are_changed_and_the_next_request_goes_out_with_them(world: World, held: Held) -> None:
    answer = post(world, held, "settings", SETTINGS)
    assert answer.status_code == 200
    assert answer.json["settings"]["mapping"] == "data.region -> data.cloud.region\n- data.secret"
    assert answer.json["settings"]["fresh_for"] == "15 m"
    assert world.rings == [Bell.DELIVERY]


def test_a_preview_shows_the_request_and_changes_nothing(world: World, held: Held) -> None:
    key, rows = world.key(), world.rows()
    before = world.client.get(f"{HERE}/{held.destination}", headers=key).json
    answer = post(world, held, "preview", SETTINGS, key)
    assert (answer.status_code, answer.json["looked_at"], answer.json["wanted"]) == (200, 2, 1)
    request = answer.json["request"]
    assert request["method"] == "POST"
    assert ["x-api-key", "***"] in request["headers"]
    assert '"data":{"environment":"production"}' in request["body"]
    assert world.client.get(f"{HERE}/{held.destination}", headers=key).json == before
    assert world.rows() == rows
    assert world.rings == []


def test_a_preview_without_settings_is_of_those_that_are_saved(world: World, held: Held) -> None:
    key = world.key()
    assert post(world, held, "settings", {"types": ["nothing"]}, key).status_code == 200
    answer = world.client.post(f"{HERE}/{held.destination}/preview", json={}, headers=key)
    assert (answer.status_code, answer.json["wanted"], answer.json["request"]) == (200, 0, None)


@pytest.mark.parametrize("what", ["settings", "preview"])
def test_a_bad_line_is_named_with_its_place(world: World, held: Held, what: str) -> None:
    answer = post(world, held, what, {"where": "data.a = b\ndata.c is d", "fresh_for": "soon"})
    assert (answer.status_code, answer.json["type"]) == (422, "/problems/invalid-request")
    faults = {fault["pointer"]: fault["detail"] for fault in answer.json["errors"]}
    assert faults.keys() == {"/settings/where", "/settings/fresh_for"}
    assert faults["/settings/where"].startswith("has a fault in line 2: ")


def test_a_preview_takes_a_key_that_may_read_events_and_nobody_elses(world: World, held: Held) -> None:
    assert post(world, held, "preview", {}, world.key(Scope.CONNECTIONS_READ)).status_code == 403
    assert post(world, held, "preview", {}, world.key(Scope.EVENTS_READ)).status_code == 200
    other = world.key(Scope.EVENTS_READ, user_id=world.user("u_2"))
    assert post(world, held, "preview", {}, other).status_code == 404
