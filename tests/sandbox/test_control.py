"""The control API: what tests and people can see and change."""

import pytest
from flask.testing import FlaskClient

from tests.sandbox.test_baselime_install import authorize, environments, exchange, granted, refresh
from webapp.sandbox import World
from webapp.sandbox.calls import CALLS

ENVIRONMENTS = "/api/accounts/baselime/environments"


def test_accounts_have_what_one_needs_to_connect(console: FlaskClient) -> None:
    accounts = console.get("/api/accounts").get_json()
    assert set(accounts["baselime"]) == {"client_id", "client_secret", "environments", "developers"}
    assert accounts["baselime"]["client_secret"].startswith("sandbox-client-secret-")
    assert set(accounts["baselime"]["environments"][0]) == {"workspaceId", "environmentId", "apiKey"}
    assert set(accounts["last9"]) == {"organization", "tokens"}
    assert set(accounts["last9"]["tokens"]) == {"read", "write", "delete"}
    assert set(accounts["librato"]) == {"email", "tokens"}
    assert set(accounts["librato"]["tokens"]) == {"admin", "recorder", "viewer"}


def test_received_is_everything_in_order_or_a_part(
    console: FlaskClient, events: FlaskClient, otel: FlaskClient, ingest_key: str
) -> None:
    headers = {"x-api-key": ingest_key, "x-service": "s"}
    events.post("/v1/logs", json=[{"n": 1}, {"n": 2}], headers=headers)
    otel.post("/v1/logs", json={}, headers=headers)
    events.post("/v1/web", json=[{"n": 3}], headers=headers)
    everything = console.get("/api/received").get_json()["received"]
    assert [one["n"] for one in everything] == [1, 2, 3, 4]
    assert set(everything[0]) == {"n", "at", "vendor", "endpoint", "account", "event", "headers"}
    part = console.get("/api/received?vendor=baselime&after=1").get_json()["received"]
    assert [one["event"]["n"] for one in part] == [2, 3]
    assert part[-1]["headers"] == {"dataset": "web", "x-service": "s"}


def test_calls_and_counts_tell_exchanges_from_refreshes_and_no_secrets(
    console: FlaskClient, baselime: FlaskClient
) -> None:
    code = authorize(baselime)
    tokens = exchange(baselime, code).get_json()
    exchange(baselime, code)
    refresh(baselime, tokens["refreshToken"])
    environments(baselime, tokens["accessToken"])
    assert console.get("/api/counts").get_json() == {
        "baselime.environments": 1,
        "baselime.token.authorization_code": 2,
        "baselime.token.refresh_token": 1,
    }
    answer = console.get("/api/calls?vendor=baselime")
    calls = answer.get_json()["calls"]
    assert [(one["detail"], one["status"]) for one in calls] == [
        ("authorization_code", 200),
        ("authorization_code", 400),
        ("refresh_token", 200),
        (None, 200),
    ]
    text = answer.get_data(as_text=True)
    assert not any(secret in text for secret in (code, tokens["accessToken"], tokens["refreshToken"]))
    assert len(console.get("/api/calls?after=3").get_json()["calls"]) == 1
    assert console.get("/api/calls?vendor=librato").get_json() == {"calls": []}


@pytest.mark.parametrize("query", ["vendor=acme", "after=-1", "after=x"])
def test_a_wrong_question_is_refused(console: FlaskClient, query: str) -> None:
    for path in ("received", "calls"):
        answer = console.get(f"/api/{path}?{query}")
        assert (answer.status_code, list(answer.get_json())) == (400, ["error"])


def test_faults_are_switched_on_listed_and_off(
    console: FlaskClient, events: FlaskClient, ingest_key: str
) -> None:
    fault = {"vendor": "baselime", "endpoint": "events", "kind": "status", "status": 503, "times": 3}
    made = console.post("/api/faults", json=fault)
    assert made.status_code == 201
    headers = {"x-api-key": ingest_key}
    assert events.post("/v1/logs", json=[{}], headers=headers).status_code == 503
    listed = console.get("/api/faults").get_json()["faults"]
    assert [(one["kind"], one["times"]) for one in listed] == [("status", 2)]
    assert console.delete("/api/faults").get_json() == {"faults": []}
    assert events.post("/v1/logs", json=[{}], headers=headers).status_code == 202


def test_an_unknown_fault_is_refused_with_what_is_known(console: FlaskClient) -> None:
    answer = console.post("/api/faults", json={"vendor": "baselime", "kind": "meteor"})
    assert answer.status_code == 400
    assert "drop_after" in answer.get_json()["error"]
    assert console.get("/api/faults").get_json() == {"faults": []}


@pytest.mark.parametrize("data", ["", "[]", "{", "null"])
def test_a_body_must_be_a_json_object(console: FlaskClient, data: str) -> None:
    for path in ("/api/faults", "/api/settings", ENVIRONMENTS):
        assert console.post(path, data=data, content_type="application/json").status_code == 400
    assert console.post("/api/settings", data="{}", content_type="text/plain").status_code == 400


def test_settings_shorten_lives(console: FlaskClient, baselime: FlaskClient) -> None:
    answer = console.post("/api/settings", json={"code_seconds": 0, "access_token_seconds": 30})
    assert answer.get_json()["access_token_seconds"] == 30
    assert exchange(baselime, authorize(baselime)).status_code == 400
    console.post("/api/settings", json={"code_seconds": 180})
    assert granted(baselime)["expiresIn"] == 30


@pytest.mark.parametrize(
    "wanted",
    [
        {"code_seconds": "3"},
        {"code_seconds": -1},
        {"code_seconds": True},
        {"code_seconds": None},
        {"last9_host": ""},
        {"last9_host": 7},
        {"librato_events_as_list": 1},
        {"unheard_of": 1},
        {"access_token_seconds": 5, "unheard_of": 1},
    ],
)
def test_a_wrong_setting_changes_nothing(console: FlaskClient, wanted: dict[str, object]) -> None:
    before = console.get("/api/settings").get_json()
    answer = console.post("/api/settings", json=wanted)
    assert (answer.status_code, list(answer.get_json())) == (400, ["error"])
    assert console.get("/api/settings").get_json() == before


def test_the_redirect_url_can_be_registered_anew(console: FlaskClient, baselime: FlaskClient) -> None:
    console.post("/api/settings", json={"redirect_url": "http://127.0.0.1:9/back"})
    answer = baselime.post("/integrations/sandbox-client-hitchpost-demo", data={"developer": "ada"})
    assert answer.headers["Location"].startswith("http://127.0.0.1:9/back?code=")


def test_environments_come_go_and_change_their_key(console: FlaskClient, baselime: FlaskClient) -> None:
    access = granted(baselime)["accessToken"]

    def keys() -> dict[str, str]:
        return {one["environmentId"]: one["apiKey"] for one in environments(baselime, access).get_json()}

    before = keys()
    assert console.post(ENVIRONMENTS, json={"workspaceId": "acme", "environmentId": "qa"}).status_code == 201
    assert set(keys()) == {"prod", "staging", "qa"}
    console.delete(ENVIRONMENTS, json={"workspaceId": "acme", "environmentId": "staging"})
    assert set(keys()) == {"prod", "qa"}
    named = {"workspaceId": "acme", "environmentId": "prod"}
    changed = console.post(f"{ENVIRONMENTS}/rotate-key", json=named).get_json()["apiKey"]
    assert keys()["prod"] == changed != before["prod"]
    assert changed.startswith("sandbox-ingest-key-acme-prod-")


def test_a_rotated_key_ends_the_old_one(console: FlaskClient, events: FlaskClient, ingest_key: str) -> None:
    named = {"workspaceId": "acme", "environmentId": "prod"}
    changed = console.post(f"{ENVIRONMENTS}/rotate-key", json=named).get_json()["apiKey"]
    assert events.post("/v1/logs", json=[{}], headers={"x-api-key": ingest_key}).status_code == 401
    assert events.post("/v1/logs", json=[{}], headers={"x-api-key": changed}).status_code == 202


def test_impossible_environments_are_refused(console: FlaskClient) -> None:
    known, unknown = ({"workspaceId": "acme", "environmentId": name} for name in ("prod", "nowhere"))
    assert console.post(ENVIRONMENTS, json=known).status_code == 400
    assert console.delete(ENVIRONMENTS, json=unknown).status_code == 400
    assert console.post(f"{ENVIRONMENTS}/rotate-key", json=unknown).status_code == 400
    assert console.post(ENVIRONMENTS, json={"workspaceId": "acme"}).status_code == 400
    assert console.post(ENVIRONMENTS, json=unknown | {"developer": "mallory"}).status_code == 400


def test_grants_and_refresh_tokens_can_be_revoked(console: FlaskClient, baselime: FlaskClient) -> None:
    tokens = granted(baselime)
    assert console.post("/api/accounts/baselime/revoke", json={"developer": "ada"}).status_code == 200
    assert refresh(baselime, tokens["refreshToken"]).status_code == 400
    old = console.get("/api/accounts").get_json()["last9"]["tokens"]
    assert console.post("/api/accounts/last9/revoke", json={"scope": "write"}).status_code == 200
    new = console.get("/api/accounts").get_json()["last9"]["tokens"]
    assert [scope for scope in old if old[scope] != new[scope]] == ["write"]
    assert console.post("/api/accounts/last9/revoke", json={"scope": "root"}).status_code == 400


def test_a_reset_makes_everything_as_at_the_start(
    console: FlaskClient, baselime: FlaskClient, events: FlaskClient, world: World, ingest_key: str
) -> None:
    start, settings = (console.get(f"/api/{path}").get_json() for path in ("accounts", "settings"))
    tokens, code = granted(baselime), authorize(baselime)
    events.post("/v1/logs", json=[{}], headers={"x-api-key": ingest_key})
    console.post("/api/faults", json={"vendor": "baselime", "kind": "drop"})
    console.post("/api/settings", json={"code_seconds": 1})
    console.post(f"{ENVIRONMENTS}/rotate-key", json={"workspaceId": "acme", "environmentId": "prod"})
    console.post("/api/accounts/last9/revoke", json={"scope": "read"})
    world.librato.tokens.remove(29)
    assert console.post("/api/reset").status_code == 200
    assert console.get("/api/accounts").get_json() == start
    assert console.get("/api/settings").get_json() == settings
    assert console.get("/api/faults").get_json() == {"faults": []}
    assert console.get("/api/received").get_json() == {"received": []}
    assert console.get("/api/counts").get_json() == {}
    assert exchange(baselime, code).status_code == 400
    assert refresh(baselime, tokens["refreshToken"]).status_code == 400
    assert environments(baselime, tokens["accessToken"]).status_code == 401
    assert refresh(baselime, granted(baselime)["refreshToken"]).status_code == 200


def test_the_console_explains_every_call(console: FlaskClient) -> None:
    page = console.get("/").get_data(as_text=True)
    rules = {
        (method, rule.rule)
        for rule in console.application.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(call.method, call.path.partition("?")[0]) for call in CALLS}
    assert rules == described | {("GET", "/api/settings")}
    pasted = 3 + 1 + 3  # Last9's refresh tokens; Librato's e-mail and API tokens
    assert page.count("data-copy=") == len(CALLS) + pasted
    assert "curl -s -X DELETE" in page


def test_the_described_bodies_work(console: FlaskClient) -> None:
    for call in CALLS:
        answer = console.open(
            call.path, method=call.method, data=call.body or None, content_type="application/json"
        )
        assert answer.status_code in (200, 201), call
