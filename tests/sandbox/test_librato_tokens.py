"""Librato's API tokens: made, found, changed and deleted, a page at a time."""

import pytest

from tests.sandbox.librato_client import Asker

PROPERTIES = {"name", "token", "active", "role", "href", "created_at", "updated_at"}


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"name": "My New Token", "role": "admin"}},
        {"json": {"name": "My New Token", "role": "admin"}},
    ],
    ids=["form", "json"],
)
def test_a_token_is_made_as_documented(ask: Asker, body: dict[str, object]) -> None:
    answer = ask("POST", "/v1/api_tokens", **body)
    made = answer.get_json()
    assert answer.status_code == 201
    assert set(made) == PROPERTIES
    assert (made["name"], made["role"], made["active"]) == ("My New Token", "admin", True)
    assert answer.headers["Location"] == "/v1/api_tokens/" + made["href"].rpartition("/")[2]
    assert len(made["token"]) == 64
    assert made["token"].startswith("sandbox")
    assert made["created_at"].endswith(" UTC")


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "x"}, {"name": "x", "role": "root"}, {"role": "admin"}]
)
def test_name_and_role_are_needed(ask: Asker, body: dict[str, str]) -> None:
    answer = ask("POST", "/v1/api_tokens", json=body)
    assert answer.status_code == 400
    assert set(answer.get_json()["errors"]["params"]) <= {"name", "role"}


def test_the_list_shows_every_value_and_one_without_a_name(ask: Asker) -> None:
    body = ask("GET", "/v1/api_tokens").get_json()
    assert body["query"] == {"found": 4, "length": 4, "offset": 0, "total": 4}
    assert body["api_tokens"][0]["name"] is None
    assert ask.account["tokens"]["admin"] in [one["token"] for one in body["api_tokens"]]  # type: ignore[index]  # a dict


def test_pages_tell_what_was_returned(ask: Asker) -> None:
    for n in range(101):
        ask("POST", "/v1/api_tokens", data={"name": f"t{n:03}", "role": "viewer"})
    first = ask("GET", "/v1/api_tokens?length=500").get_json()["query"]
    rest = ask("GET", "/v1/api_tokens?offset=100").get_json()["query"]
    beyond = ask("GET", "/v1/api_tokens?offset=200").get_json()
    assert first == {"found": 105, "length": 100, "offset": 0, "total": 105}
    assert rest == {"found": 105, "length": 5, "offset": 100, "total": 105}
    assert (beyond["query"]["length"], beyond["api_tokens"]) == (0, [])


def test_pages_can_be_ordered(ask: Asker) -> None:
    listed = ask("GET", "/v1/api_tokens?orderby=name&sort=desc&name=*a*").get_json()["api_tokens"]
    assert [one["name"] for one in listed] == ["Full access", "Dashboards", "Agents and collectors"]
    for wrong in ("orderby=token", "sort=up", "offset=-1", "length=many"):
        assert ask("GET", f"/v1/api_tokens?{wrong}").status_code == 400


@pytest.mark.parametrize("path", ["/v1/api_tokens?name={}", "/v1/api_tokens/{}"])
@pytest.mark.parametrize(
    ("name", "found"), [("Dash*", 1), ("Dash", 0), ("*a*", 3), ("dashboards", 1), ("x.*", 0)]
)
def test_names_are_exact_but_for_wildcards(ask: Asker, path: str, name: str, found: int) -> None:
    body = ask("GET", path.format(name)).get_json()
    assert (body["query"]["found"], body["query"]["total"]) == (found, 4)


def test_one_token_is_a_bare_object(ask: Asker) -> None:
    assert set(ask("GET", "/v1/api_tokens/29").get_json()) == PROPERTIES
    assert ask("GET", "/v1/api_tokens/9999").status_code == 404


@pytest.mark.parametrize("kind", ["data", "json"])
def test_a_token_is_changed_and_its_value_is_not(ask: Asker, kind: str) -> None:
    before = ask("GET", "/v1/api_tokens/30").get_json()
    wanted = {"name": "Renamed", "active": "false", "role": "viewer", "token": "mine"}
    answer = ask("PUT", "/v1/api_tokens/30", **{kind: wanted})
    after = answer.get_json()
    assert answer.status_code == 200
    assert (after["name"], after["active"], after["role"]) == ("Renamed", False, "viewer")
    assert after["token"] == before["token"]
    assert ask("PUT", "/v1/api_tokens/30", json={"role": "root"}).status_code == 400
    assert ask("PUT", "/v1/api_tokens/30", json={"active": "perhaps"}).status_code == 400


def test_a_deleted_token_is_gone_and_refused(ask: Asker) -> None:
    made = ask("POST", "/v1/api_tokens", json={"name": "short", "role": "admin"}).get_json()
    path = "/v1/api_tokens/" + made["href"].rpartition("/")[2]
    ask.account["tokens"]["short"] = made["token"]  # type: ignore[index]  # a dict
    assert ask("GET", "/v1/metrics", "short").status_code == 200
    assert ask("DELETE", path).status_code == 204
    assert ask("GET", path).status_code == 404
    assert ask("GET", "/v1/metrics", "short").status_code == 401
