"""Last9's tokens: claims, exchange, scopes, and every way a token can be wrong."""

import base64
import json
from typing import Any

import pytest
import time_machine
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from webapp.sandbox import World, new_world

ORG = "/api/v4/organizations/sandbox-org"
EXPIRED = {"error": "Authorization token is expired"}


def exchange(last9: FlaskClient, refresh_token: object, **more: str) -> TestResponse:
    return last9.post("/api/v4/oauth/access_token", json={"refresh_token": refresh_token, **more})


def access_token(last9: FlaskClient, world: World, scope: str = "write") -> str:
    answer = exchange(last9, world.last9.tokens.refresh_tokens()[scope])
    return str(answer.get_json()["access_token"])


def claims(token: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==")))


def look(last9: FlaskClient, token: str, path: str = "/datasources") -> TestResponse:
    return last9.get(ORG + path, headers={"X-LAST9-API-TOKEN": f"Bearer {token}"})


def test_a_refresh_token_is_traded_in_the_documented_shape(last9: FlaskClient, world: World) -> None:
    refresh_token = world.last9.tokens.refresh_tokens()["write"]
    answer = exchange(last9, refresh_token, grant_type="refresh_token")
    body = answer.get_json()
    assert answer.status_code == 200
    assert set(body) == {"access_token", "expires_at", "issued_at", "refresh_token", "type", "scopes"}
    assert body["expires_at"] - body["issued_at"] == 86_400
    assert (body["type"], body["scopes"], body["refresh_token"]) == ("Bearer", ["write"], refresh_token)


def test_tokens_carry_the_claims_that_clients_read(last9: FlaskClient, world: World) -> None:
    refresh_claims = claims(world.last9.tokens.refresh_tokens()["read"])
    access_claims = claims(access_token(last9, world, "read"))
    for found in (refresh_claims, access_claims):
        assert found["aud"] == [world.desk.settings.last9_host]
        assert found["organization_slug"] == "sandbox-org"
        assert found["scopes"] == ["read"]
        assert "@" in found["email"]
    assert isinstance(access_claims["exp"], int)
    assert "exp" not in refresh_claims


def test_refresh_tokens_are_the_same_in_every_process(world: World) -> None:
    another = new_world(variables={})
    another.begin_with(last9_host=world.desk.settings.last9_host)
    assert another.last9.tokens.refresh_tokens() == world.last9.tokens.refresh_tokens()


@pytest.mark.parametrize("host", ["{}", "https://{}", "{}/api", "https://{}/api/"])
def test_every_known_form_of_the_audience_is_taken(last9: FlaskClient, world: World, host: str) -> None:
    world.desk.settings.last9_host = host.format(world.desk.settings.last9_host)
    assert look(last9, access_token(last9, world)).status_code == 200


def test_a_token_of_another_host_is_a_bad_request(last9: FlaskClient, world: World) -> None:
    headers = {"X-LAST9-API-TOKEN": f"Bearer {access_token(last9, world)}"}
    elsewhere = {"base_url": "http://127.0.0.1"}
    assert last9.get(f"{ORG}/datasources", headers=headers, **elsewhere).status_code == 400
    world.desk.settings.last9_host = "app.last9.io"
    assert exchange(last9, world.last9.tokens.refresh_tokens()["write"]).status_code == 400


@pytest.mark.parametrize("scope", ["read", "write"])
def test_reading_takes_a_read_or_a_write_token(last9: FlaskClient, world: World, scope: str) -> None:
    assert look(last9, access_token(last9, world, scope)).status_code == 200


def test_a_delete_token_cannot_read(last9: FlaskClient, world: World) -> None:
    refused = look(last9, access_token(last9, world, "delete"))
    assert (refused.status_code, list(refused.get_json())) == (403, ["error"])


def test_an_expired_access_token_is_named_so(last9: FlaskClient, world: World) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        token = access_token(last9, world)
        clock.shift(86_399)
        assert look(last9, token).status_code == 200
        clock.shift(1)
        refused = look(last9, token)
    assert (refused.status_code, refused.get_json()) == (401, EXPIRED)


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({}, 401, None),
        ({"Authorization": "Bearer {}"}, 401, None),
        ({"X-LAST9-API-TOKEN": "{}"}, 400, "invalid access token"),
        ({"X-LAST9-API-TOKEN": "bearer {}"}, 400, "invalid access token"),
        ({"X-LAST9-API-TOKEN": "Bearer x{}"}, 400, "invalid refresh token: token is malformed"),
        ({"X-LAST9-API-TOKEN": "Bearer garbage"}, 400, "invalid refresh token: token is malformed"),
        ({"X-Last9-Api-Token": "Bearer {}"}, 200, None),
    ],
)
def test_the_header_has_one_form(
    last9: FlaskClient, world: World, headers: dict[str, str], status: int, error: str | None
) -> None:
    token = access_token(last9, world)
    answer = last9.get(f"{ORG}/datasources", headers={k: v.format(token) for k, v in headers.items()})
    assert answer.status_code == status
    if error:
        assert answer.get_json() == {"error": error}


def test_the_organization_must_be_the_tokens(last9: FlaskClient, world: World) -> None:
    headers = {"X-LAST9-API-TOKEN": f"Bearer {access_token(last9, world)}"}
    answer = last9.get("/api/v4/organizations/another/datasources", headers=headers)
    assert answer.status_code == 404


@pytest.mark.parametrize("refresh_token", ["", "garbage", 7, None, "a.b.c"])
def test_a_wrong_refresh_token_is_refused(last9: FlaskClient, refresh_token: object) -> None:
    refused = exchange(last9, refresh_token)
    assert (refused.status_code, list(refused.get_json())) == (400, ["error"])


def test_an_access_token_is_no_refresh_token(last9: FlaskClient, world: World) -> None:
    assert exchange(last9, access_token(last9, world)).status_code == 400


def test_a_form_is_no_token_request(last9: FlaskClient, world: World) -> None:
    asked = {"refresh_token": world.last9.tokens.refresh_tokens()["write"]}
    assert last9.post("/api/v4/oauth/access_token", data=asked).status_code == 400


def test_a_refresh_token_can_be_made_to_expire(last9: FlaskClient, world: World) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        world.desk.settings.last9_refresh_token_seconds = 60
        refresh_token = world.last9.tokens.refresh_tokens()["write"]
        assert exchange(last9, refresh_token).status_code == 200
        clock.shift(60)
        assert exchange(last9, refresh_token).status_code == 401


def test_revoking_ends_the_access_tokens_too_and_another_is_made(last9: FlaskClient, world: World) -> None:
    old, token = world.last9.tokens.refresh_tokens(), access_token(last9, world)
    reader = access_token(last9, world, "read")
    world.last9.tokens.revoke("write")
    assert exchange(last9, old["write"]).status_code == 401
    assert look(last9, token).status_code == 401
    assert look(last9, reader).status_code == 200
    assert world.last9.tokens.refresh_tokens()["write"] != old["write"]
    assert look(last9, access_token(last9, world)).status_code == 200


def test_a_reset_forgets_the_access_tokens(last9: FlaskClient, world: World) -> None:
    token = access_token(last9, world)
    world.reset()
    assert look(last9, token).status_code == 401
    assert look(last9, access_token(last9, world)).status_code == 200


def test_exchanges_are_counted_by_scope(last9: FlaskClient, world: World) -> None:
    access_token(last9, world, "write")
    access_token(last9, world, "write")
    access_token(last9, world, "read")
    exchange(last9, "garbage")
    assert world.desk.recorder.counts() == {
        "last9.token": 1,
        "last9.token.read": 1,
        "last9.token.write": 2,
    }
