"""Connections over the interface: what is told, what is handed out, and how one ends."""

import base64

from sqlalchemy import select

from tests.api.conftest import World
from webapp.core.api_keys import Scope
from webapp.core.runtime import Bell
from webapp.models import AuditLine

ALL = "/api/v1/connections"


def test_the_list_shows_every_connection_page_by_page(world: World) -> None:
    owner = world.user("u_1")
    made = {str(world.connect(owner, workspace=f"acme-{number}").connection) for number in range(5)}
    key = world.key(Scope.CONNECTIONS_READ)
    seen: list[str] = []
    after = None
    while True:
        page = world.client.get(
            ALL, query_string={"limit": 2, **({"after": after} if after else {})}, headers=key
        )
        seen += [item["id"] for item in page.json["items"]]
        after = page.json["next"]
        if after is None:
            break
    assert len(seen) == 5
    assert set(seen) == made


def test_the_list_is_narrowed_by_state_provider_and_words(world: World) -> None:
    world.connect(world.user("u_1"), workspace="acme")
    key = world.key(Scope.CONNECTIONS_READ)

    def labels(**query: str) -> list[str]:
        answer = world.client.get(ALL, query_string=query, headers=key)
        return [item["label"] for item in answer.json["items"]]

    assert labels(state="active", provider="baselime", search="cm") == ["acme"]
    assert labels(state="paused") == labels(provider="last9") == labels(search="other") == []


def test_a_bound_key_lists_its_own_user_only(world: World) -> None:
    mine, other = world.user("u_1"), world.user("u_2")
    held = world.connect(mine, workspace="mine")
    world.connect(other, workspace="other")
    listed = world.client.get(ALL, headers=world.key(user_id=mine)).json["items"]
    assert [item["id"] for item in listed] == [str(held.connection)]


def test_a_wrong_query_is_named_and_not_repeated(world: World) -> None:
    query = {"limit": "canary-1", "state": "canary-2", "after": "canary-3", "canary-name": "canary-4"}
    answer = world.client.get(ALL, query_string=query, headers=world.key())
    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.json["errors"]} == {"limit", "state", "canary-name"}
    assert not [value for value in query.values() if value in answer.text]


def test_a_mark_of_nowhere_is_refused(world: World) -> None:
    for mark in ("x", "\0", base64.urlsafe_b64encode(b'["1"]').decode()):
        answer = world.client.get(ALL, query_string={"after": mark}, headers=world.key())
        assert (answer.status_code, answer.json["type"]) == (422, "/problems/invalid-request")


def test_one_connection_comes_with_its_environments_and_no_secret(world: World) -> None:
    held = world.connect(world.user("u_1"))
    answer = world.client.get(f"{ALL}/{held.connection}", headers=world.key(Scope.CONNECTIONS_READ))
    assert answer.json["connection"]["state"] == "active"
    assert [found["environment"] for found in answer.json["environments"]] == ["production"]
    assert "canary" not in answer.text


def test_an_access_token_is_handed_out_fresh_and_written_down(world: World) -> None:
    held = world.connect(world.user("u_1"))
    answer = world.client.get(
        f"{ALL}/{held.connection}/access-token", headers=world.key(Scope.CREDENTIALS_READ)
    )
    assert answer.json["access_token"] == "canary-access"
    assert answer.json["expires_at"]
    assert answer.headers["Cache-Control"] == "no-store"
    with world.runtime.database.read() as session:
        query = select(AuditLine).where(AuditLine.act == "credential.handed_out")
        line = session.execute(query).scalar_one()
    assert line.connection_id == held.connection
    assert line.actor.startswith("key:")
    assert "canary" not in f"{line.detail}{line.object}"


def test_an_access_token_that_cannot_be_renewed_is_not_handed_out(world: World) -> None:
    held = world.connect(world.user("u_1"), lifetime=0.0)
    answer = world.client.get(
        f"{ALL}/{held.connection}/access-token", headers=world.key(Scope.CREDENTIALS_READ)
    )
    assert (answer.status_code, answer.json["type"]) == (502, "/problems/vendor-failed")
    assert "canary" not in answer.text
    with world.runtime.database.read() as session:
        query = select(AuditLine).where(AuditLine.act == "credential.handed_out")
        assert session.execute(query).all() == []


def test_a_refresh_is_asked_for_and_answered_at_once(world: World) -> None:
    held = world.connect(world.user("u_1"))
    answer = world.client.post(f"{ALL}/{held.connection}/refresh", headers=world.key(Scope.CONNECTIONS_WRITE))
    assert answer.status_code == 202
    assert answer.json["connection"]["id"] == str(held.connection)
    assert world.rings == [Bell.REFRESH]


def test_a_disconnect_forgets_every_secret_and_happens_once(world: World) -> None:
    held, key = world.connect(world.user("u_1")), world.key()
    answer = world.client.delete(f"{ALL}/{held.connection}", headers=key)
    assert answer.status_code == 200
    assert answer.json["id"] == str(held.connection)
    again = world.client.delete(f"{ALL}/{held.connection}", headers=key)
    assert (again.status_code, again.json["type"]) == (409, "/problems/conflict")
    gone = world.client.get(f"{ALL}/{held.connection}/access-token", headers=key)
    assert gone.status_code == 409
    assert world.client.get(f"{ALL}/{held.connection}", headers=key).json["disconnected_at"]
