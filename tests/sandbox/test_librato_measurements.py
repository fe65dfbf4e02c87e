"""Librato's measurements, tagged and of the older kind, and the metrics they make."""

import gzip
import json

import pytest
import time_machine

from tests.sandbox.librato_client import Asker
from webapp.sandbox import World

NOW = 1_800_000_000
UNREADABLE = {"code": 400, "message": "Unable to process JSON"}


def post(ask: Asker, *measurements: object, **common: object) -> int:
    return ask("POST", "/v1/measurements", json={"measurements": list(measurements), **common}).status_code


def test_tagged_measurements_are_taken(ask: Asker, world: World) -> None:
    body = {
        "tags": {"region": "us-west"},
        "time": NOW,
        "measurements": [
            {"name": "cpu", "value": 4.5},
            {"name": "memory", "count": 2, "sum": 9.0, "tags": {"host": "a"}, "stddev_m2": 1},
        ],
    }
    answer = ask("POST", "/v1/measurements", "recorder", json=body)
    assert (answer.status_code, answer.get_json()) == (200, {"errors": []})
    assert [one.event for one in world.desk.recorder.received("librato")] == [
        {"name": "cpu", "value": 4.5, "tags": {"region": "us-west"}, "time": NOW},
        {"name": "memory", "count": 2, "sum": 9.0, "stddev_m2": 1, "tags": {"host": "a"}, "time": NOW},
    ]


def test_a_batch_may_be_packed(ask: Asker) -> None:
    packed = gzip.compress(json.dumps({"measurements": [{"name": "x", "value": 1}]}).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert ask("POST", "/v1/measurements", data=packed, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("measurement", "param"),
    [
        ({"value": 1}, "name"),
        ({"name": "a b", "value": 1}, "name"),
        ({"name": "x" * 256, "value": 1}, "name"),
        ({"name": "x"}, "value"),
        ({"name": "x", "value": "1"}, "value"),
        ({"name": "x", "value": True}, "value"),
        ({"name": "x", "value": 1e127}, "value"),
        ({"name": "x", "value": 10**400}, "value"),
        ({"name": "x", "value": 1, "count": 1, "sum": 1}, "value"),
        ({"name": "x", "count": 1}, "value"),
        ({"name": "x", "value": 1, "time": "now"}, "time"),
        ({"name": "x", "value": 1, "tags": {"a b": "c"}}, "tags"),
        ({"name": "x", "value": 1, "tags": {"a": "c,d"}}, "tags"),
        ({"name": "x", "value": 1, "tags": {"a": 1}}, "tags"),
        ({"name": "x", "value": 1, "tags": {f"t{n}": "v" for n in range(51)}}, "tags"),
    ],
)
def test_one_bad_measurement_refuses_the_batch_and_is_named(
    ask: Asker, world: World, measurement: dict[str, object], param: str
) -> None:
    good = {"name": "good", "value": 1}
    answer = ask("POST", "/v1/measurements", json={"measurements": [good, measurement]})
    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]["params"]) == [param]
    assert "request_time" in answer.get_json()
    assert world.desk.recorder.received() == []


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "{",
        '{"gauges": []}',
        '{"measurements": {}}',
        '{"measurements": [1]}',
        '{"source": "x", "measurements": [{"name": "x", "value": 1}]}',
        '{"measurements": [{"name": "x", "value": 1, "source": "x"}]}',
    ],
)
def test_what_cannot_be_mapped_is_said_so(ask: Asker, body: str) -> None:
    answer = ask("POST", "/v1/measurements", data=body, content_type="application/json")
    assert (answer.status_code, answer.get_json()) == (400, UNREADABLE)


def test_a_form_is_the_wrong_content_type(ask: Asker) -> None:
    answer = ask("POST", "/v1/measurements", data={"measurements[0][name]": "x"})
    assert answer.status_code == 415
    assert answer.get_json() == {"errors": {"request": ["Content type was not application/json"]}}


def test_a_series_is_read_back_by_tags(ask: Asker) -> None:
    with time_machine.travel(NOW, tick=False):
        assert (
            post(ask, {"name": "CPU", "value": 1, "tags": {"Host": "A"}}, {"name": "cpu", "value": 2}) == 200
        )
        assert post(ask, {"name": "cpu", "value": 1e-131}, time=NOW - 7_200) == 200
        path = "/v1/measurements/cpu?resolution=1&duration=3600"
        body = ask("GET", path, "viewer").get_json()
        tagged = ask("GET", f"{path}&tags[host]=a").get_json()
        old = ask("GET", f"/v1/measurements/cpu?resolution=60&start_time=0&end_time={NOW - 1}").get_json()
    assert (body["name"], body["resolution"], body["links"]) == ("cpu", 1, [])
    assert [one["tags"] for one in body["series"]] == [{"host": "a"}, {}]
    assert tagged["series"] == [{"tags": {"host": "a"}, "measurements": [{"time": NOW, "value": 1.0}]}]
    assert old["series"] == [{"tags": {}, "measurements": [{"time": NOW - 7_200, "value": 0.0}]}]


def test_a_series_needs_a_resolution_a_time_and_a_name(ask: Asker) -> None:
    post(ask, {"name": "cpu", "value": 1})
    assert ask("GET", "/v1/measurements/cpu").status_code == 400
    assert ask("GET", "/v1/measurements/cpu?duration=60").status_code == 400
    assert ask("GET", "/v1/measurements/other?resolution=1&duration=60").status_code == 404
    assert ask("GET", "/v1/measurements").get_json()["measurements"] == [{"name": "cpu"}]


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"gauges": [{"name": "login-delay", "value": 3.5}], "source": "web"}},
        {"json": {"gauges": {"login-delay": {"value": 3.5}}, "source": "web"}},
        {"json": {"gauges": {"0": {"name": "login-delay", "value": 3.5}}, "source": "web"}},
        {"data": {"gauges[0][name]": "login-delay", "gauges[0][value]": "3.5", "source": "web"}},
        {"data": {"gauges[login-delay][value]": "3.5", "source": "web"}},
    ],
    ids=["list", "by-name", "by-number", "form", "form-by-name"],
)
def test_the_older_forms_are_taken_and_answered_with_nothing(
    ask: Asker, world: World, body: dict[str, object]
) -> None:
    answer = ask("POST", "/v1/metrics", "recorder", **body)
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
    event = world.desk.recorder.received("librato")[0].event
    assert isinstance(event, dict)
    assert (event["name"], float(event["value"]), event["source"]) == ("login-delay", 3.5, "web")
    assert ask("GET", "/v1/metrics/login-delay").get_json()["type"] == "gauge"


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"value": 1}, "name"),
        ({"name": "x"}, "value"),
        ({"name": "x", "value": "much"}, "value"),
        ({"name": "x", "value": 1, "source": "a b"}, "source"),
        ({"name": "x", "value": 1, "source": "all"}, "source"),
        ({"name": "x", "value": 1, "measure_time": 1}, "measure_time"),
        ({"name": "counted", "value": 1}, "type"),
    ],
)
def test_older_faults_are_named_with_the_time(ask: Asker, item: dict[str, object], param: str) -> None:
    ask("POST", "/v1/metrics", json={"counters": [{"name": "counted", "value": 1}]})
    answer = ask("POST", "/v1/metrics", json={"gauges": [item]})
    assert (answer.status_code, list(answer.get_json()["errors"]["params"])) == (400, [param])
    assert "request_time" in answer.get_json()


def test_unknown_keys_of_the_older_form_are_let_pass_and_emptiness_is_not(ask: Asker) -> None:
    odd = {"gauges": [{"name": "x", "value": 1, "type": "gauge"}]}
    assert ask("POST", "/v1/metrics", json=odd).status_code == 200
    assert ask("POST", "/v1/metrics", json={}).status_code == 400
    assert ask("POST", "/v1/metrics", json={"gauges": [1]}).status_code == 400


def test_metrics_are_listed_changed_and_deleted(ask: Asker) -> None:
    post(ask, {"name": "a.cpu", "value": 1}, {"name": "b.cpu", "value": 1}, {"name": "disk", "value": 1})
    assert ask("GET", "/v1/metrics?length=1").get_json()["query"] == {
        "found": 3,
        "length": 1,
        "offset": 0,
        "total": 3,
    }
    assert ask("GET", "/v1/metrics?name=cpu").get_json()["query"]["found"] == 2
    assert ask("PUT", "/v1/metrics/disk", json={"display_name": "Disk"}).status_code == 204
    assert ask("GET", "/v1/metrics/disk").get_json()["display_name"] == "Disk"
    assert ask("PUT", "/v1/metrics/new", json={"type": "gauge", "period": 60}).status_code == 201
    assert ask("PUT", "/v1/metrics/newer", json={"period": 60}).status_code == 404
    assert ask("DELETE", "/v1/metrics", json={"names": ["a.cpu", "missing"]}).status_code == 204
    assert ask("DELETE", "/v1/metrics", json={}).status_code == 400
    assert ask("DELETE", "/v1/metrics/b.cpu").status_code == 204
    assert ask("DELETE", "/v1/metrics/b.cpu").status_code == 404
    assert ask("GET", "/v1/metrics/a.cpu").status_code == 404
