"""Last9's change events: taken one a call, refused with a reason, and read back as a metric."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.sandbox.test_last9_tokens import ORG, access_token
from webapp.sandbox import World

GOLDEN = {
    "timestamp": "2024-01-15T17:57:22+05:30",
    "event_name": "new_deployment",
    "event_state": "start",
    "attributes": {"env": "production", "k8s_cluster": "prod-us-east-1", "app": "backend-api"},
}
GOLDEN_TIME = 1_705_321_642


@pytest.fixture
def headers(last9: FlaskClient, world: World) -> dict[str, str]:
    return {"X-LAST9-API-TOKEN": f"Bearer {access_token(last9, world)}"}


def put(last9: FlaskClient, headers: dict[str, str], event: object) -> TestResponse:
    return last9.put(f"{ORG}/change_events", json=event, headers=headers)


def source(last9: FlaskClient, headers: dict[str, str], name: str = "sandbox-metrics") -> dict[str, Any]:
    """Return the read credentials of a data source, as a query takes them."""
    listed = last9.get(f"{ORG}/datasources", headers=headers).get_json()
    found = next(one for one in listed if one["name"] == name)
    credentials = {key: found["properties"][key] for key in ("username", "password")}
    return {"read_url": found["url"], **credentials}


def query(last9: FlaskClient, headers: dict[str, str], text: str, **more: object) -> TestResponse:
    asked = {"query": text, "timestamp": GOLDEN_TIME + 60, "window": 3_600, **source(last9, headers), **more}
    return last9.post(f"{ORG}/prom_query", json=asked, headers=headers)


def test_the_documented_example_is_taken(last9: FlaskClient, world: World, headers: dict[str, str]) -> None:
    answer = put(last9, headers, GOLDEN)
    assert (answer.status_code, answer.get_json()) == (200, {"message": "success"})
    taken = world.desk.recorder.received("last9")[0]
    assert taken.event == GOLDEN
    assert (taken.account, taken.headers) == ("sandbox-org", {"data_source_name": "sandbox-metrics"})


@pytest.mark.parametrize(
    "event",
    [
        {"event_name": "push", "attributes": {"event_name": "push", "canary": True, "replicas": 3}},
        {"event_name": "x", "timestamp": "2024-01-15T12:27:22.011Z", "value": 4.5},
        {"event_name": "x", "timestamp": "2024-01-15T12:27:22.011123456Z"},
        {"event_name": "x", "data_source_name": "sandbox-archive"},
    ],
)
def test_what_real_clients_send_is_taken(
    last9: FlaskClient, headers: dict[str, str], event: dict[str, object]
) -> None:
    assert put(last9, headers, event).status_code == 200


@pytest.mark.parametrize(
    "event",
    [
        {},
        [GOLDEN],
        "text",
        {"event_name": ""},
        {"event_name": 7},
        {"event_name": "x", "event_state": "finished"},
        {"event_name": "x", "event_state": ["start"]},
        {"event_name": "x", "timestamp": 1_705_321_642},
        {"event_name": "x", "timestamp": "yesterday"},
        {"event_name": "x", "timestamp": "2024-01-15T17:57:22"},
        {"event_name": "x", "attributes": ["a"]},
        {"event_name": "x", "attributes": {"scm.commit": "a"}},
        {"event_name": "x", "attributes": {"nested": {"a": 1}}},
        {"event_name": "x", "attributes": {"nothing": None}},
        {"event_name": "x", "value": "1"},
        {"event_name": "x", "value": True},
        {"event_name": "x", "data_source_name": ""},
        {"event_name": "x", "data_source_name": "unknown"},
        {"event_name": "x", "event_type": "deployment"},
    ],
)
def test_what_is_no_change_event_is_refused_with_the_reason(
    last9: FlaskClient, world: World, headers: dict[str, str], event: object
) -> None:
    refused = put(last9, headers, event)
    assert (refused.status_code, list(refused.get_json())) == (400, ["error"])
    assert world.desk.recorder.received() == []


def test_numbers_beyond_all_bounds_are_refused(last9: FlaskClient, headers: dict[str, str]) -> None:
    given = {**headers, "Content-Type": "application/json"}
    for body in ('{"event_name": "x", "value": 1e999}', '{"event_name": "x", "value": ' + "9" * 400 + "}"):
        assert last9.put(f"{ORG}/change_events", data=body, headers=given).status_code == 400


def test_only_a_write_token_may_change(last9: FlaskClient, world: World) -> None:
    for scope in ("read", "delete"):
        headers = {"X-LAST9-API-TOKEN": f"Bearer {access_token(last9, world, scope)}"}
        assert put(last9, headers, GOLDEN).status_code == 403
    assert world.desk.recorder.received() == []


def test_only_put_is_allowed(last9: FlaskClient, headers: dict[str, str]) -> None:
    refused = last9.post(f"{ORG}/change_events", json=GOLDEN, headers=headers)
    assert (refused.status_code, list(refused.get_json())) == (405, ["error"])


def test_it_is_read_back_as_a_metric(last9: FlaskClient, headers: dict[str, str]) -> None:
    put(last9, headers, GOLDEN)
    put(last9, headers, {**GOLDEN, "event_state": "stop", "timestamp": "2024-01-15T12:28:00Z"})
    found = query(last9, headers, 'last9_change_events{deployment_environment="production"}').get_json()
    assert [one["metric"]["event_state"] for one in found] == ["start", "stop"]
    assert found[0]["values"] == [[GOLDEN_TIME, "1"]]
    assert found[1]["values"] == [[GOLDEN_TIME + 38, "2"]]
    assert found[0]["metric"]["__name__"] == "last9_change_events"


def test_service_and_environment_have_one_name_whichever_was_sent(
    last9: FlaskClient, headers: dict[str, str]
) -> None:
    put(last9, headers, {**GOLDEN, "attributes": {"service_name": "checkout", "env": "prod"}})
    metric = query(last9, headers, "last9_change_events").get_json()[0]["metric"]
    assert (metric["service"], metric["deployment_environment"]) == ("checkout", "prod")
    assert (metric["service_name"], metric["env"]) == ("checkout", "prod")


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ('last9_change_events{app="backend-api"}', 1),
        ('last9_change_events{app!="backend-api"}', 0),
        ('last9_change_events{app=~"back.*", event_name!~"cold_storage_logs_backup|x"}', 1),
        ('{__name__="last9_change_events"}', 1),
        ('last9_change_events{l9_event_name!~"last9_scheduled_search"}', 1),
        ("another_metric", 0),
    ],
)
def test_selectors_match_as_in_prometheus(
    last9: FlaskClient, headers: dict[str, str], text: str, hits: int
) -> None:
    put(last9, headers, GOLDEN)
    assert len(query(last9, headers, text).get_json()) == hits


@pytest.mark.parametrize("text", ["", "rate(x[5m])", "x{a=b}", 'x{a=~"("}', 'x{a="b" c="d"}'])
def test_other_queries_are_refused(last9: FlaskClient, headers: dict[str, str], text: str) -> None:
    assert query(last9, headers, text).status_code == 400


def test_a_query_stays_inside_its_window_and_its_data_source(
    last9: FlaskClient, headers: dict[str, str]
) -> None:
    put(last9, headers, GOLDEN)
    text = "last9_change_events"
    assert query(last9, headers, text, window=30).get_json() == []
    assert query(last9, headers, text, timestamp=GOLDEN_TIME - 1).get_json() == []
    assert query(last9, headers, text, **source(last9, headers, "sandbox-archive")).get_json() == []
    assert query(last9, headers, text, password="guessed").status_code == 400


def test_label_values_and_the_latest_value_can_be_asked(last9: FlaskClient, headers: dict[str, str]) -> None:
    put(last9, headers, GOLDEN)
    asked = {"timestamp": GOLDEN_TIME + 60, "window": 600, **source(last9, headers)}
    values = last9.post(
        f"{ORG}/prom_label_values",
        json={"label": "event_name", "matches": ["last9_change_events"], **asked},
        headers=headers,
    )
    assert values.get_json() == ["new_deployment"]
    latest = last9.post(
        f"{ORG}/prom_query_instant", json={"query": "last9_change_events", **asked}, headers=headers
    )
    assert [one["value"] for one in latest.get_json()] == [[GOLDEN_TIME + 60, "1"]]


def test_data_sources_clusters_and_the_organization_are_listed(
    last9: FlaskClient, headers: dict[str, str]
) -> None:
    listed = last9.get(f"{ORG}/datasources", headers=headers).get_json()
    assert [one["is_default"] for one in listed] == [True, False]
    assert set(listed[0]) == {"id", "name", "is_default", "url", "region", "properties"}
    assert listed[0]["properties"]["password"].startswith("sandbox-read-password-")
    clusters = last9.get(f"{ORG}/clusters?region=us-east-1", headers=headers).get_json()
    assert clusters["status"] == "success"
    assert [one["name"] for one in clusters["data"]] == ["sandbox-archive"]
    assert "id" in last9.get(ORG, headers=headers).get_json()


def test_the_timeline_shows_what_arrived(last9: FlaskClient, headers: dict[str, str]) -> None:
    put(last9, headers, GOLDEN)
    put(last9, headers, {"event_name": "<i>flag</i>"})
    page = last9.get("/").get_data(as_text=True)
    assert "new_deployment" in page
    assert "<i>flag" not in page
    assert page.index("new_deployment") > page.index("flag")


def test_the_access_page_shows_the_refresh_tokens(last9: FlaskClient, world: World) -> None:
    page = last9.get("/settings/api-access").get_data(as_text=True)
    assert all(one in page for one in world.last9.tokens.refresh_tokens().values())
