"""Whatever is wrong with an item is named, where it is, and all of it at once."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from webapp.core.events.cloudevents import read_cloudevent
from webapp.core.events.drafts import Draft
from webapp.core.events.forms import EventForm, Item, read_items
from webapp.core.events.native import read_native
from webapp.errors import Invalid

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
GOOD: dict[str, Any] = {"user": "ada", "id": "1", "type": "deployment"}
CLOUD: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/ci", "type": "deployment"}


def faults_of(value: Any, read: Any = read_native) -> dict[str, str]:
    made = read(Item("/7", value), NOW)
    assert not isinstance(made, Draft), "it was taken"
    return {fault.where: fault.what for fault in made}


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"id": None}, "/7/id", "is missing"),
        ({"id": 5}, "/7/id", "is not a string"),
        ({"id": ""}, "/7/id", "0 characters"),
        ({"id": "x" * 513}, "/7/id", "513 characters"),
        ({"id": "a\nb"}, "/7/id", "cannot be printed"),
        ({"type": None}, "/7/type", "is missing"),
        ({"type": ["deployment"]}, "/7/type", "is not a string"),
        ({"source": ""}, "/7/source", "0 characters"),
        ({"subject": "\x7f"}, "/7/subject", "cannot be printed"),
        ({"subject": {}}, "/7/subject", "is not a string"),
        ({"user": 1}, "/7/user", "is not a string"),
        ({"state": "begin"}, "/7/state", "is none of start, stop"),
        ({"state": ["start"]}, "/7/state", "is none of start, stop"),
        ({"time": 1706702400}, "/7/time", "RFC 3339"),
        ({"time": "2026-01-31"}, "/7/time", "RFC 3339"),
        ({"time": "2026-01-31T12:00:00"}, "/7/time", "RFC 3339"),
        ({"time": "2026-02-30T12:00:00Z"}, "/7/time", "RFC 3339"),
        ({"time": "2026-01-31T25:00:00Z"}, "/7/time", "RFC 3339"),
        ({"time": "2026-01-31 12:00:00Z"}, "/7/time", "RFC 3339"),
        ({"time": "0001-01-01T00:00:00+23:00"}, "/7/time", "RFC 3339"),
        ({"time": "2026-01-31T12:00:00+99:00"}, "/7/time", "RFC 3339"),
        ({"data": [1]}, "/7/data", "is not a JSON object"),
        ({"data": "text"}, "/7/data", "is not a JSON object"),
        ({"started_at": "2026-01-31T12:00:00Z"}, "/7/started_at", "is not a field of an event"),
        ({"a/b~c": 1}, "/7/a~1b~0c", "is not a field of an event"),
        ({"data": {"text": "x" * 256_000}}, "/7", "must be below 256,000"),
    ],
)
def test_a_bad_field_is_named_where_it_is(change: dict[str, Any], where: str, words: str) -> None:
    faults = faults_of(GOOD | change)
    assert words in faults[where]
    assert len(faults) == 1


def test_every_fault_of_an_item_is_named_at_once() -> None:
    assert set(faults_of({"id": 1, "time": "x", "state": "y", "z": 0})) == {
        *("/7/id", "/7/type", "/7/time", "/7/state", "/7/z")
    }


@pytest.mark.parametrize("value", [None, 5, "text", [GOOD], True])
def test_an_item_that_is_no_object_is_named(value: Any) -> None:
    assert faults_of(value) == {"/7": "is not a JSON object"}
    assert faults_of(value, read_cloudevent) == {"/7": "is not a JSON object"}


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"specversion": None}, "/7/specversion", 'is not "1.0"'),
        ({"specversion": "0.3"}, "/7/specversion", 'is not "1.0"'),
        ({"source": None}, "/7/source", "CloudEvents 1.0 requires it"),
        ({"type": None}, "/7/type", "CloudEvents 1.0 requires it"),
        ({"id": None}, "/7/id", "is missing"),
        ({"time": "yesterday"}, "/7/time", "RFC 3339"),
        ({"Upper": "x"}, "/7/Upper", "lower-case"),
        ({"my_extension": "x"}, "/7/my_extension", "lower-case"),
        ({"ext": {"a": 1}}, "/7/ext", "a string, a boolean or a 32-bit integer"),
        ({"ext": 1.5}, "/7/ext", "a string, a boolean or a 32-bit integer"),
        ({"ext": 2**31}, "/7/ext", "a string, a boolean or a 32-bit integer"),
        ({"datacontenttype": 1}, "/7/datacontenttype", "is not a string"),
        ({"data": {}, "data_base64": "QQ=="}, "/7/data_base64", "only one of them"),
        ({"data_base64": "*"}, "/7/data_base64", "is not base64"),
        ({"data_base64": 5}, "/7/data_base64", "is not base64"),
        ({"state": "paused"}, "/7/state", "is none of start, stop"),
    ],
)
def test_a_bad_attribute_of_a_cloudevent_is_named(change: dict[str, Any], where: str, words: str) -> None:
    assert words in faults_of(CLOUD | change, read_cloudevent)[where]


@pytest.mark.parametrize(
    ("payload", "wheres"),
    [
        (b'[{"id": "1"}, {"id": NaN}, {"id": "3", "id": "4"}, {"data": "\\u0000"}]', ["/1", "/2", "/3"]),
        (b'[{"a": 1e999}]', ["/0"]),
        (b'[{"a": "\\ud800"}, {"b": 2}]', ["/0"]),
        (b"[1" + b"2" * 50 + b"]", ["/0"]),
        (b"[" + b"[" * 70 + b"]" * 70 + b"]", ["/0"]),
        (b'{"id": NaN}', [""]),
        (b"[1, 2", [""]),
        (b"[1 2]", [""]),
        (b'"', [""]),
        (b"", [""]),
        (b"\xff", [""]),
        (b"[]", [""]),
        (json.dumps([GOOD] * 1001).encode(), [""]),
        (b'["' + b"x" * 6_000_000 + b'"]', [""]),
    ],
)
def test_what_is_no_json_is_named_by_item_if_the_items_can_be_told(payload: bytes, wheres: list[str]) -> None:
    try:
        _, faults = read_items(payload, EventForm.NATIVE)
    except Invalid as error:
        faults = error.faults
    assert [fault.where for fault in faults] == wheres
    assert all(fault.what for fault in faults)


@pytest.mark.parametrize(
    ("payload", "form"), [(b"[]", EventForm.CLOUDEVENT), (b"{}", EventForm.CLOUDEVENTS_BATCH)]
)
def test_a_cloudevents_body_has_the_shape_of_its_mode(payload: bytes, form: EventForm) -> None:
    with pytest.raises(Invalid, match="mode carries"):
        read_items(payload, form)
