"""/v1/logs, /v1/traces, /v1/metrics: answered as OTLP/HTTP has it, in the form of the request."""

import gzip
import json
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tests import otlp
from tests.api.conftest import World
from webapp.api import otlp as door
from webapp.core.api_keys import Scope
from webapp.core.queries.events import list_events
from webapp.errors import Overloaded
from webapp.lib.otlp import SIGNALS, show

PROTOBUF, JSON = door.PROTOBUF, door.JSON
EVERY = pytest.mark.parametrize("signal", list(SIGNALS))
BOTH = pytest.mark.parametrize("media", [PROTOBUF, JSON], ids=["protobuf", "json"])


def send(world: World, signal: str, body: bytes, media: str = PROTOBUF, **headers: str) -> Any:
    """Export with a key of the whole instance, for u_1 unless told otherwise."""
    named = {"X-Hitchpost-User": "u_1", **world.key(Scope.EVENTS_WRITE)}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return world.client.post(f"/v1/{signal}", data=body, headers={"Content-Type": media, **named})


def body_of(signal: str, media: str, *texts: str) -> bytes:
    body: bytes = otlp.export(signal, *(texts or ("one", "two"))).SerializeToString()
    return json.dumps(show(SIGNALS[signal], body)).encode() if media == JSON else body


def status_of(answer: Any) -> tuple[int, int, str]:
    """HTTP status, google.rpc code and message of a refusal."""
    if answer.content_type == JSON:
        return answer.status_code, answer.json["code"], answer.json["message"]
    assert answer.content_type == PROTOBUF
    status = Status.FromString(answer.data)
    return answer.status_code, status.code, status.message


@EVERY
@BOTH
def test_an_export_is_stored_and_answered_in_its_own_form(world: World, signal: str, media: str) -> None:
    world.user("u_1")
    answer = send(world, signal, body_of(signal, media), media)
    assert (answer.status_code, answer.content_type) == (200, media)
    assert answer.data == (b"{}" if media == JSON else b"")
    assert world.events() == 1


@EVERY
def test_both_forms_of_one_export_are_the_same_event(world: World, signal: str) -> None:
    world.user("u_1")
    for media in (PROTOBUF, JSON):
        assert send(world, signal, body_of(signal, media), media).status_code == 200
    assert world.events() == 1


@EVERY
@BOTH
def test_a_record_that_is_too_large_is_a_partial_success(world: World, signal: str, media: str) -> None:
    world.user("u_1")
    answer = send(world, signal, body_of(signal, media, "one", "x" * 300_000, "two"), media)
    assert answer.status_code == 200
    partial = (
        answer.json["partialSuccess"]
        if media == JSON
        else {
            "errorMessage": (
                made := SIGNALS[signal].response().FromString(answer.data)
            ).partial_success.error_message,
            "rejected": getattr(made.partial_success, SIGNALS[signal].rejected),
        }
    )
    assert "256,000" in partial.pop("errorMessage")
    assert [int(count) for count in partial.values()] == [1]
    assert world.events() == 1


@BOTH
def test_a_body_may_be_gzip(world: World, media: str) -> None:
    world.user("u_1")
    packed = gzip.compress(body_of("logs", media))
    assert send(world, "logs", packed, media, Content_Encoding="gzip").status_code == 200
    assert world.events() == 1


@BOTH
def test_an_export_without_records_is_taken_and_nothing_stored(world: World, media: str) -> None:
    world.user("u_1")
    assert send(world, "metrics", b"{}" if media == JSON else b"", media).status_code == 200
    assert world.events() == 0


def test_a_key_that_is_bound_to_a_user_needs_no_name(world: World) -> None:
    key = world.key(Scope.EVENTS_WRITE, user_id=world.user("u_1"))
    world.user("u_2")
    for name, status in (("", 200), ("u_1", 200), ("u_2", 400)):
        assert (
            send(world, "logs", body_of("logs", PROTOBUF), X_Hitchpost_User=name, **key).status_code == status
        )
    assert world.events() == 1


def test_a_user_s_name_may_be_any_text(world: World) -> None:
    world.user("Zoë 🚀")
    name = "Zoë 🚀".encode().decode("latin-1")
    assert send(world, "logs", body_of("logs", PROTOBUF), X_Hitchpost_User=name).status_code == 200


@BOTH
def test_a_refusal_is_a_status_in_the_form_of_the_request(world: World, media: str) -> None:
    world.user("u_1")
    good = body_of("traces", media)
    assert status_of(send(world, "traces", b"\xff{", media))[:2] == (400, 3)
    code, rpc, said = status_of(send(world, "traces", good, media, X_Hitchpost_User="nobody"))
    assert (code, rpc) == (400, 3)
    assert said.startswith("X-Hitchpost-User names no user of this instance")
    assert status_of(send(world, "traces", good, media, X_Hitchpost_User=""))[2].endswith(
        "say whose event this is."
    )
    assert status_of(send(world, "traces", good, media, Authorization="Bearer hp_no"))[:2] == (401, 16)
    assert status_of(send(world, "traces", good, media, **world.key(Scope.EVENTS_READ)))[:2] == (403, 7)
    assert status_of(send(world, "traces", b" " * 6_000_001, media))[:2] == (413, 3)
    assert status_of(send(world, "traces", b"not gzip", media, Content_Encoding="gzip"))[:2] == (400, 3)
    assert status_of(send(world, "traces", good, media, Content_Encoding="br"))[:2] == (415, 3)
    assert world.events() == 0


def test_another_media_type_is_refused_with_those_that_are_taken(world: World) -> None:
    answer = send(world, "logs", b"", "text/plain")
    assert status_of(answer)[:2] == (415, 3)
    assert answer.headers["Accept-Post"] == "application/x-protobuf, application/json"


@BOTH
@pytest.mark.parametrize("fault", [Overloaded(retry_after=3.2), PoolTimeout()], ids=["full", "busy"])
def test_a_busy_database_asks_the_client_to_try_again(
    world: World, monkeypatch: pytest.MonkeyPatch, media: str, fault: Exception
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise fault

    monkeypatch.setattr(door, "accept_otlp", refuse)
    answer = send(world, "logs", body_of("logs", media), media)
    assert status_of(answer)[:2] == (503, 14)
    assert int(answer.headers["Retry-After"]) >= 1


def test_no_event_of_another_form_may_pass_for_otlp(world: World) -> None:
    world.user("u_1")
    key = world.key()
    native = {"user": "u_1", "id": "1", "type": "otlp.logs"}
    answer = world.client.post("/api/v1/events", json=native, headers=key)
    assert answer.json["errors"][0]["pointer"] == "/type"
    cloud = json.dumps({**native, "specversion": "1.0", "source": "x"})
    headers = {**key, "Content-Type": "application/cloudevents+json"}
    assert world.client.post("/api/v1/events", data=cloud, headers=headers).status_code == 422


def test_an_export_is_found_like_any_event(world: World) -> None:
    world.user("u_1")
    send(world, "logs", body_of("logs", PROTOBUF, "hello"))
    with world.runtime.database.read() as session:
        (row,) = list_events(session, world.user("u_1")).rows
    answer = world.client.get(f"/api/v1/events/{row.id}", headers=world.key())
    (part,) = answer.json["envelope"]["resourceLogs"]
    assert part["scopeLogs"][0]["logRecords"][0]["body"] == {"stringValue": "hello"}
