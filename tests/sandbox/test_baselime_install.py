"""Installing at Baselime: the consent page, the code, the tokens, the environments."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.sandbox.conftest import REDIRECT
from webapp.sandbox import World, new_world
from webapp.sandbox.baselime.accounts import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET

CONSENT = f"/integrations/{DEFAULT_CLIENT_ID}"


def authorize(baselime: FlaskClient, developer: str = "ada") -> str:
    """Press the button and return the code."""
    answer = baselime.post(CONSENT, data={"developer": developer})
    return answer.headers["Location"].removeprefix(f"{REDIRECT}?code=")


def exchange(baselime: FlaskClient, code: str, /, **changes: object) -> TestResponse:
    asked = {
        "grantType": "authorization_code",
        "clientId": DEFAULT_CLIENT_ID,
        "clientSecret": DEFAULT_CLIENT_SECRET,
        "redirect": REDIRECT,
        "code": code,
    }
    return baselime.post("/oauth/token", json=asked | changes)


def refresh(baselime: FlaskClient, refresh_token: str, **changes: object) -> TestResponse:
    asked = {
        "grantType": "refresh_token",
        "clientId": DEFAULT_CLIENT_ID,
        "clientSecret": DEFAULT_CLIENT_SECRET,
        "redirect": REDIRECT,
        "refreshToken": refresh_token,
    }
    return baselime.post("/oauth/token", json=asked | changes)


def granted(baselime: FlaskClient, developer: str = "ada") -> dict[str, Any]:
    """Install and return the tokens."""
    return dict(exchange(baselime, authorize(baselime, developer)).get_json())


def environments(baselime: FlaskClient, access_token: str) -> TestResponse:
    headers = {"Authorization": f"Bearer {access_token}", "Content-Type": "application/json"}
    return baselime.get("/oauth/environments", headers=headers)


def test_the_consent_page_has_one_button_and_says_it_is_a_sandbox(baselime: FlaskClient) -> None:
    page = baselime.get(CONSENT).get_data(as_text=True)
    assert page.count('<button type="submit"') == 1
    assert "Authorize Access" in page
    assert "SANDBOX" in page


def test_authorizing_redirects_with_a_code_and_nothing_else(baselime: FlaskClient) -> None:
    answer = baselime.post(CONSENT, data={"developer": "ada"})
    assert answer.status_code == 302
    location, _, query = answer.headers["Location"].partition("?")
    assert location == REDIRECT
    name, _, code = query.partition("=")
    assert (name, len(code)) == ("code", 32)
    assert set(code) <= set("0123456789abcdef")


def test_an_unknown_client_has_no_consent_page(baselime: FlaskClient) -> None:
    assert baselime.get("/integrations/somebody-else").status_code == 404
    assert baselime.post("/integrations/somebody-else", data={"developer": "ada"}).status_code == 404


def test_nobody_is_installed_for_without_being_chosen(baselime: FlaskClient) -> None:
    assert baselime.post(CONSENT).status_code == 400
    assert baselime.post(CONSENT, data={"developer": "mallory"}).status_code == 400


def test_a_code_is_traded_for_tokens_in_the_documented_shape(baselime: FlaskClient) -> None:
    answer = exchange(baselime, authorize(baselime))
    assert answer.status_code == 200
    body = answer.get_json()
    assert set(body) == {"accessToken", "refreshToken", "expiresIn", "tokenType"}
    assert (body["expiresIn"], body["tokenType"]) == (86_400, "Bearer")


def test_tokens_say_that_they_are_sandbox_ones(baselime: FlaskClient) -> None:
    tokens = granted(baselime)
    assert tokens["accessToken"].startswith("sandbox-access-")
    assert tokens["refreshToken"].startswith("sandbox-refresh-")


def test_a_code_is_good_once(baselime: FlaskClient) -> None:
    code = authorize(baselime)
    assert exchange(baselime, code).status_code == 200
    again = exchange(baselime, code)
    assert (again.status_code, list(again.get_json())) == (400, ["message"])


def test_of_exchanges_at_once_one_is_served(baselime: FlaskClient) -> None:
    code = authorize(baselime)

    def attempt(_: int) -> int:
        return exchange(baselime.application.test_client(), code).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, range(16))) == [200] + [400] * 15


def test_a_code_is_good_for_three_minutes(baselime: FlaskClient) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        in_time, late = authorize(baselime), authorize(baselime)
        clock.shift(180)
        assert exchange(baselime, in_time).status_code == 200
        clock.shift(1)
        assert exchange(baselime, late).status_code == 400


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"clientSecret": "wrong"}, 401),
        ({"clientId": "wrong"}, 401),
        ({"redirect": f"{REDIRECT}/"}, 400),
        ({"code": "0" * 32}, 400),
        ({"code": 7}, 400),
        ({"grantType": "password"}, 400),
        ({"grantType": "refresh_token"}, 400),
        ({"redirectUri": REDIRECT}, 400),
    ],
)
def test_a_wrong_token_request_is_refused_and_the_code_stays_good(
    baselime: FlaskClient, changes: dict[str, object], status: int
) -> None:
    code = authorize(baselime)
    refused = exchange(baselime, code, **changes)
    assert refused.status_code == status
    assert list(refused.get_json()) == ["message"]
    assert exchange(baselime, code).status_code == 200


def test_the_dialects_of_other_vendors_are_refused(baselime: FlaskClient) -> None:
    code = authorize(baselime)
    snake = {
        "grant_type": "authorization_code",
        "client_id": DEFAULT_CLIENT_ID,
        "client_secret": DEFAULT_CLIENT_SECRET,
        "redirect_uri": REDIRECT,
        "code": code,
    }
    assert baselime.post("/oauth/token", json=snake).status_code == 400
    assert baselime.post("/oauth/token", data=snake).status_code == 400
    assert baselime.post("/oauth/token", data="not json", content_type="application/json").status_code == 400
    assert baselime.get("/oauth/token").status_code == 405


@pytest.mark.parametrize(
    ("content_type", "status"),
    [("application/json", 200), ("applications/json", 200), ("text/plain", 400), ("text/json", 400)],
)
def test_the_content_type_is_one_that_the_docs_write(
    baselime: FlaskClient, content_type: str, status: int
) -> None:
    asked = {
        "grantType": "authorization_code",
        "clientId": DEFAULT_CLIENT_ID,
        "clientSecret": DEFAULT_CLIENT_SECRET,
        "redirect": REDIRECT,
        "code": authorize(baselime),
    }
    answer = baselime.post("/oauth/token", data=json.dumps(asked), content_type=content_type)
    assert answer.status_code == status


def test_a_refresh_returns_an_access_token_and_no_refresh_token(baselime: FlaskClient) -> None:
    tokens = granted(baselime)
    body = refresh(baselime, tokens["refreshToken"]).get_json()
    assert set(body) == {"accessToken", "expiresIn", "tokenType"}
    assert body["accessToken"] != tokens["accessToken"]
    assert refresh(baselime, tokens["refreshToken"]).status_code == 200


def test_an_unknown_refresh_token_is_refused(baselime: FlaskClient) -> None:
    tokens = granted(baselime)
    assert refresh(baselime, "sandbox-refresh-nonsense").status_code == 400
    assert refresh(baselime, tokens["accessToken"]).status_code == 400
    assert refresh(baselime, tokens["refreshToken"][:-2] + "xx").status_code == 400


def test_environments_are_a_bare_array_of_the_developers_own(baselime: FlaskClient) -> None:
    listed = environments(baselime, granted(baselime)["accessToken"]).get_json()
    assert [(one["workspaceId"], one["environmentId"]) for one in listed] == [
        ("acme", "prod"),
        ("acme", "staging"),
    ]
    assert all(set(one) == {"workspaceId", "environmentId", "apiKey"} for one in listed)
    assert all(one["apiKey"].startswith("sandbox-ingest-key-") for one in listed)


@pytest.mark.parametrize(
    ("developer", "workspaces"),
    [("bob", {"birch"}), ("carol", {"acme", "cobalt"}), ("dora", set())],
)
def test_each_developer_grants_other_workspaces(
    baselime: FlaskClient, developer: str, workspaces: set[str]
) -> None:
    listed = environments(baselime, granted(baselime, developer)["accessToken"]).get_json()
    assert {one["workspaceId"] for one in listed} == workspaces


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Basic abc", "bearer x"])
def test_environments_need_a_good_access_token(baselime: FlaskClient, header: str) -> None:
    refused = baselime.get("/oauth/environments", headers={"Authorization": header})
    assert (refused.status_code, list(refused.get_json())) == (401, ["message"])


def test_an_access_token_ends_after_a_day(baselime: FlaskClient) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        access_token = granted(baselime)["accessToken"]
        clock.shift(86_399)
        assert environments(baselime, access_token).status_code == 200
        clock.shift(1)
        assert environments(baselime, access_token).status_code == 401


def test_revoking_ends_what_was_granted_and_not_what_comes_after(baselime: FlaskClient, world: World) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        tokens, others = granted(baselime), granted(baselime, "bob")
        clock.shift(1)
        world.baselime.grants.revoke("ada")
        clock.shift(1)
        assert refresh(baselime, tokens["refreshToken"]).status_code == 400
        assert environments(baselime, tokens["accessToken"]).status_code == 401
        assert refresh(baselime, others["refreshToken"]).status_code == 200
        assert refresh(baselime, granted(baselime)["refreshToken"]).status_code == 200


def test_tokens_outlive_the_sandbox_that_issued_them(baselime: FlaskClient) -> None:
    tokens = granted(baselime)
    restarted = new_world(REDIRECT, variables={}).vendor_apps()["baselime"].test_client()
    assert environments(restarted, tokens["accessToken"]).get_json() == (
        environments(baselime, tokens["accessToken"]).get_json()
    )
    assert refresh(restarted, tokens["refreshToken"]).status_code == 200


def test_the_client_can_be_named_by_the_environment() -> None:
    named = {"HITCHPOST_BASELIME_CLIENT_ID": "joined", "HITCHPOST_BASELIME_CLIENT_SECRET": "sandbox-joined"}
    world = new_world(REDIRECT, variables=named)
    baselime = world.vendor_apps()["baselime"].test_client()
    assert baselime.get("/integrations/joined").status_code == 200
    assert "sandbox-joined" not in repr(world.baselime.client)
