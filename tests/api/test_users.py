"""Deleting a user over the interface: what goes is counted, and all of it goes."""

from urllib.parse import quote

import pytest

from tests.api.conftest import World
from webapp.core import deletion, users
from webapp.core.api_keys import Scope
from webapp.core.deletion import sweeping

HERE = "/api/v1/users"


@pytest.mark.parametrize("name", ["a/b c", "ü@?#", "u_1"])
def test_whoever_is_named_is_counted_marked_and_gone(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "LATE", sweeping.LATE * 0)
    before = world.rows()
    held = world.connect(world.user(name))
    key = world.key(Scope.USERS_DELETE)
    address = f"{HERE}/{quote(name, safe='')}"
    shown = world.client.get(address, headers=key).json
    assert shown == world.client.get(f"{HERE}/{held.user}", headers=key).json
    assert (shown["open_connections"], shown["dead_letters"], shown["sources"]) == (1, 1, 1)
    assert shown["deleting_since"] is None
    marked = world.client.delete(address, headers=key)
    assert (marked.status_code, marked.json["id"]) == (200, str(held.user))
    assert world.client.delete(address, headers=key).json["deleting_since"] == marked.json["deleting_since"]
    event = {"user": name, "id": "1", "type": "deployment"}
    refused = world.client.post("/api/v1/events", json=event, headers=world.key(Scope.EVENTS_WRITE))
    assert refused.status_code == 422
    deletion.sweep(world.runtime)
    assert world.client.get(address, headers=key).status_code == 404
    after = world.rows()
    changed = {table for table, count in after.items() if count != before[table]}
    assert changed <= {"api_keys", "audit_lines", "instance"}
    assert world.client.delete(address, headers=key).status_code == 404


def test_the_last_admin_is_not_deleted(world: World) -> None:
    with world.runtime.database.write() as session:
        users.create_admin(session, "alice@example.org")
    answer = world.client.delete(f"{HERE}/alice@example.org", headers=world.key(Scope.USERS_DELETE))
    assert (answer.status_code, "last admin" in answer.json["detail"]) == (409, True)
