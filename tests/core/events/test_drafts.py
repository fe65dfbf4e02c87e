"""The envelope: what is stored is what vendors read."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from webapp.core.events.cloudevents import read_cloudevent
from webapp.core.events.drafts import MAX_EVENT_BYTES, Draft, key_hash
from webapp.core.events.fields import parse_time
from webapp.core.events.forms import Item
from webapp.core.events.native import read_native

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
GOOD: dict[str, Any] = {"user": "ada", "id": "1", "type": "deployment"}
CLOUD: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/ci", "type": "deployment"}


def draft_of(value: Any, read: Any = read_native) -> Draft:
    made = read(Item("", value), NOW)
    assert isinstance(made, Draft), made
    return made


def envelope_of(value: Any, read: Any = read_native) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(draft_of(value, read).body)
    return found


def test_an_event_without_extras_gets_the_defaults() -> None:
    assert envelope_of(GOOD) == {
        "id": "1",
        "source": "app",
        "type": "deployment",
        "time": "2026-01-31T12:00:00.000Z",
        "timestamp": 1769860800000,
        "message": "deployment",
        "data": {},
    }


def test_an_event_keeps_what_it_has_and_its_time_in_utc() -> None:
    made = envelope_of(
        {
            **GOOD,
            "source": "ci",
            "subject": "checkout-api",
            "state": "start",
            "time": "2026-01-31T13:30:00.1239+01:00",
            "data": {"rev": "é", "n": 1.5},
        }
    )
    assert made["time"] == "2026-01-31T12:30:00.123Z"
    assert made["timestamp"] == 1769862600123
    assert made["message"] == "deployment started: checkout-api"
    assert (made["source"], made["subject"], made["state"]) == ("ci", "checkout-api", "start")
    assert made["data"] == {"rev": "é", "n": 1.5}


def test_what_log_services_look_for_is_lifted_to_the_top() -> None:
    data = {
        "error": "boom",
        "requestId": "r",
        "traceId": "t",
        "level": "error",
        "duration": 12,
        "message": "hi",
    }
    assert envelope_of({**GOOD, "data": data}).items() >= data.items()


def test_what_has_another_shape_there_is_not_lifted() -> None:
    data = {"error": {"a": 1}, "requestId": 5, "duration": "fast", "level": None, "message": ""}
    made = envelope_of({**GOOD, "data": data})
    assert not {"error", "requestId", "duration", "level"} & made.keys()
    assert made["message"] == "deployment"


def test_null_counts_as_absent() -> None:
    optional = dict.fromkeys(("source", "subject", "state", "time", "data"))
    assert envelope_of(GOOD | optional) == envelope_of(GOOD)


@pytest.mark.parametrize(("state", "room"), [("start", 0), ("stop", 40)])
def test_an_event_just_below_the_limit_is_taken_and_a_stop_leaves_room_for_its_start(
    state: str, room: int
) -> None:
    empty = len(draft_of({**GOOD, "state": state, "data": {"x": ""}}).body)
    most = MAX_EVENT_BYTES - 1 - room - empty
    body = draft_of({**GOOD, "state": state, "data": {"x": "x" * most}})
    assert len(body.with_start(NOW) if state == "stop" else body.body) == MAX_EVENT_BYTES - 1
    assert isinstance(
        read_native(Item("", {**GOOD, "state": state, "data": {"x": "x" * (most + 1)}}), NOW), list
    )


def test_a_stop_with_its_start_is_still_json() -> None:
    made = json.loads(draft_of({**GOOD, "state": "stop"}).with_start(NOW))
    assert made["started_at"] == "2026-01-31T12:00:00.000Z"
    assert made["data"] == {}


def test_the_digest_sees_content_and_neither_layout_nor_how_the_user_is_named() -> None:
    one = draft_of({"user": "ada", "id": "1", "type": "t", "data": {"a": 1, "b": 2}})
    two = draft_of({"data": {"b": 2, "a": 1}, "type": "t", "id": "1", "user": "other name"})
    three = draft_of({"user": "ada", "id": "1", "type": "t", "data": {"a": 1, "b": 3}})
    assert one.digest == two.digest != three.digest
    assert one.key_hash == three.key_hash == key_hash("app", "1")


def test_no_two_sources_and_ids_share_an_identity() -> None:
    assert key_hash("a", "b:c") != key_hash("a:b", "c")
    assert key_hash('a","b', "c") != key_hash("a", 'b","c')
    assert key_hash("a", "b") != key_hash("b", "b")
    assert key_hash("a", "b" * 32) != key_hash("a", "b" * 33)


def test_identities_of_ids_that_grow_lie_in_their_order_and_are_short_whatever_the_id() -> None:
    keys = [key_hash("app", f"01a9-é-{at:08}") for at in range(0, 10_000, 7)]
    assert keys == sorted(keys)
    assert len(key_hash("app", "é" * 300)) == 48


def test_a_cloudevent_becomes_the_same_envelope() -> None:
    item = CLOUD | {
        "user": "ada",
        "subject": "s",
        "state": "stop",
        "time": "2026-01-31T11:00:00Z",
        "data": {"a": 1},
    }
    made = draft_of(item, read_cloudevent)
    assert (made.user, made.state, made.time) == ("ada", "stop", datetime(2026, 1, 31, 11, tzinfo=UTC))
    assert json.loads(made.body) == {
        "id": "1",
        "source": "/ci",
        "type": "deployment",
        "subject": "s",
        "state": "stop",
        "time": "2026-01-31T11:00:00.000Z",
        "timestamp": 1769857200000,
        "message": "deployment stopped: s",
        "data": {"a": 1},
    }


@pytest.mark.parametrize(
    ("extra", "data"),
    [
        ({}, {}),
        ({"data": None}, {}),
        ({"data": [1, 2]}, {"value": [1, 2]}),
        ({"data": "<a/>", "datacontenttype": "text/xml"}, {"value": "<a/>"}),
        ({"data_base64": "AAE="}, {"base64": "AAE="}),
    ],
)
def test_data_of_any_kind_is_kept(extra: dict[str, Any], data: dict[str, Any]) -> None:
    assert envelope_of(CLOUD | extra, read_cloudevent)["data"] == data


def test_other_attributes_are_kept() -> None:
    extra = {"dataschema": "https://a/b", "traceparent": "00-x", "sampled": True, "count": 3, "gone": None}
    made = envelope_of(CLOUD | extra, read_cloudevent)
    assert made["attributes"] == {
        "dataschema": "https://a/b",
        "traceparent": "00-x",
        "sampled": True,
        "count": 3,
    }


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:00:00Z", NOW),
        ("2026-01-31t12:00:00z", NOW),
        ("2026-01-31T12:00:00.000000000Z", NOW),
        ("2026-01-31T17:30:00+05:30", NOW),
        ("2026-01-31T12:00:00-00:00", NOW),
    ],
)
def test_every_rfc3339_time_is_read(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment
