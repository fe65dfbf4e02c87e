"""CloudEvents as the package of the project itself writes them: structured, batched and in binary mode."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from tests.api.conftest import World
from webapp.core.api_keys import Scope

BATCH = "application/cloudevents-batch+json"
BINARY = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "/ci",
    "ce-type": "deployment",
    "ce-user": "u_1",
    "Content-Type": "application/json",
}


def post(world: World, headers: dict[str, str], body: bytes) -> Any:
    return world.client.post(
        "/api/v1/events", data=body, headers={**headers, **world.key(Scope.EVENTS_WRITE)}
    )


def envelope(world: World, answer: Any) -> Any:
    assert answer.status_code == 202, answer.text
    event_id = answer.json["ids"][0]
    return world.client.get(f"/api/v1/events/{event_id}", headers=world.key()).json["envelope"]


def made(data: Any, **attributes: Any) -> CloudEvent:
    known = {"id": f"e-{random.random()}", "source": "/ci/main", "type": "deployment", "user": "u_1"}
    return CloudEvent(attributes={**known, **attributes}, data=data)


def faults(answer: Any) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {fault["pointer"]: fault["detail"] for fault in answer.json["errors"]}


def test_what_the_package_writes_is_taken_and_means_the_same_in_every_mode(world: World) -> None:
    world.user("u_1")
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    shapes: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
        ({"version": 1, "why": 'a "quoted" € %25'}, {}, {"version": 1, "why": 'a "quoted" € %25'}),
        ({"a": [1, None, {"b": 1.5}]}, {"subject": "shop é %", "time": moment}, {"a": [1, None, {"b": 1.5}]}),
        ("words", {"datacontenttype": "text/plain", "traceid": "4bf9"}, {"value": "words"}),
        (b"\xff\x00", {"datacontenttype": "application/octet-stream"}, {"base64": "/wA="}),
        (None, {"time": moment + timedelta(microseconds=5), "state": "start"}, {}),
    ]
    for at, (data, attributes, kept) in enumerate(shapes):
        for mode in (to_structured_event, to_binary_event):
            sent: HTTPMessage = mode(made(data, id=f"{mode.__name__}-{at}", **attributes))
            found = envelope(world, post(world, dict(sent.headers), sent.body))
            assert found["data"] == kept, (mode, data)
            assert (found["source"], found["type"]) == ("/ci/main", "deployment")
            assert found.get("subject") == attributes.get("subject")
            assert found.get("state") == attributes.get("state")
            if "time" in attributes:
                assert found["time"].startswith("2026-01-02T03:04:05")
            if "traceid" in attributes:
                assert found["attributes"]["traceid"] == "4bf9"


def test_a_batch_of_what_the_package_writes_is_taken(world: World) -> None:
    world.user("u_1")
    bodies = [to_structured_event(made({"n": n}, id=str(n))).body for n in range(20)]
    answer = post(world, {"Content-Type": BATCH}, b"[" + b",".join(bodies) + b"]")
    assert answer.json["accepted"] == 20


def test_the_same_event_in_binary_mode_is_a_duplicate_and_another_a_conflict(world: World) -> None:
    world.user("u_1")
    assert post(world, BINARY, b'{"a": 1}').json["accepted"] == 1
    assert post(world, BINARY, b'{"a":1}').json["duplicates"] == 1
    other = post(world, BINARY, b'{"a": 2}')
    assert other.status_code == 409
    assert world.events() == 1


def test_what_an_attribute_names_may_be_percent_encoded(world: World) -> None:
    world.user("Zoë")
    found = post(world, {**BINARY, "ce-user": "Zo%C3%AB", "ce-subject": "a%20b"}, b"{}")
    assert envelope(world, found)["subject"] == "a b"


def test_without_its_mark_a_body_is_read_as_our_own_form(world: World) -> None:
    world.user("u_1")
    headers = {name: value for name, value in BINARY.items() if name != "ce-specversion"}
    assert "/type" in faults(post(world, headers, b'{"id": "1"}'))


def test_the_headers_of_structured_mode_are_not_read(world: World) -> None:
    world.user("u_1")
    sent = to_structured_event(made({}, id="in-the-body"))
    headers = {**BINARY, "Content-Type": sent.headers["content-type"]}
    found = envelope(world, post(world, headers, sent.body))
    assert found["id"] == "in-the-body"


@pytest.mark.parametrize(
    ("headers", "body", "where"),
    [
        ({"ce-id": ""}, b"{}", "ce-id"),
        ({"ce-specversion": "0.3"}, b"{}", "ce-specversion"),
        ({"ce-time": "yesterday"}, b"{}", "ce-time"),
        ({"ce-time": "2026-01-01"}, b"{}", "ce-time"),
        ({"ce-state": "over"}, b"{}", "ce-state"),
        ({"ce-user": "nobody"}, b"{}", "ce-user"),
        ({"ce-two-words": "x"}, b"{}", "ce-two-words"),
        ({"ce-data": "x"}, b"{}", "ce-data"),
        ({"ce-type": "otlp.logs"}, b"{}", "ce-type"),
        ({}, b'{"a": NaN}', ""),
        ({}, b'{"a": 1, "a": 2}', ""),
        ({}, b'"' + b"x" * 256_000 + b'"', ""),
    ],
)
def test_a_fault_names_its_header(world: World, headers: dict[str, str], body: bytes, where: str) -> None:
    world.user("u_1")
    assert set(faults(post(world, {**BINARY, **headers}, body))) == {where}
    assert world.events() == 0


def test_an_event_without_id_gets_none_made_up(world: World) -> None:
    world.user("u_1")
    headers = {name: value for name, value in BINARY.items() if name not in {"ce-id", "ce-source"}}
    assert set(faults(post(world, headers, b"{}"))) == {"ce-id", "ce-source"}


def test_json_in_binary_mode_need_not_be_an_object(world: World) -> None:
    world.user("u_1")
    for at, body in enumerate((b"[1]", b"7", json.dumps("é").encode())):
        answer = post(world, {**BINARY, "ce-id": str(at)}, body)
        assert envelope(world, answer)["data"] == {"value": json.loads(body)}
