"""Mappings: a change a line, on an envelope, from the top down; never what an event is or when it was."""

import json
from typing import Any

import pytest

from webapp.core.streams import mapping
from webapp.core.streams.mapping import read_mapping
from webapp.core.streams.paths import Misread


def mapped(text: str, **fields: Any) -> dict[str, Any]:
    envelope = {"id": "d-1", "type": "deployment", "message": "deployment", **fields}
    changed: dict[str, Any] = json.loads(mapping.apply(read_mapping(text), envelope))
    del changed["id"], changed["type"]
    if changed.get("message") == "deployment":
        del changed["message"]
    return changed


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("data.a -> data.b", {"data": {"a": 1}}, {"data": {"b": 1}}),
        ("data.a -> region", {"data": {"a": 1}}, {"data": {}, "region": 1}),
        ("data.a -> data.x.y", {"data": {"a": [1]}}, {"data": {"x": {"y": [1]}}}),
        ("data.a -> data.b", {"data": {"a": 1, "b": 2}}, {"data": {"b": 1}}),
        ("data.gone -> data.b", {"data": {"b": 2}}, {"data": {"b": 2}}),
        ("data.a -> data.b.c", {"data": {"a": 1, "b": 2}}, {"data": {"a": 1, "b": 2}}),
        ("data.a -> data.a.b", {"data": {"a": {"c": 1}}}, {"data": {"a": {"c": 1}}}),
        ('data."k8s.pod" -> data.pod', {"data": {"k8s.pod": "p"}}, {"data": {"pod": "p"}}),
        ("- data.secret", {"data": {"secret": "s", "a": 1}}, {"data": {"a": 1}}),
        ("- data", {"data": {"a": 1}}, {}),
        ("- data.gone.deeper", {"data": {}}, {"data": {}}),
        ("data.team = payments", {"data": {}}, {"data": {"team": "payments"}}),
        ('data.team = "the payers"', {}, {"data": {"team": "the payers"}}),
        ("data.replicas = 3", {"data": {}}, {"data": {"replicas": "3"}}),
        ("data.a = x", {"data": "no object"}, {"data": "no object"}),
        ("data.n -> subject", {"data": {"n": 7}}, {"data": {}, "subject": "7"}),
        ("data.n -> subject", {"data": {"n": {"a": 1}}}, {"data": {"n": {"a": 1}}}),
        ("data.a -> message", {"data": {"a": "said"}}, {"data": {}, "message": "said"}),
        ("# nothing\n\n", {"data": {"a": "é"}}, {"data": {"a": "é"}}),
    ],
)
def test_a_line_changes_what_it_names(text: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    assert mapped(text, **before) == after


def test_each_line_sees_what_those_before_it_left() -> None:
    text = "data.a -> data.b\n- data.a\ndata.b -> data.c\ndata.b = new"
    assert mapped(text, data={"a": 1}) == {"data": {"c": 1, "b": "new"}}


def test_what_is_sent_is_compact_json_in_utf_8() -> None:
    body = mapping.apply(read_mapping("- data.b"), {"id": "é", "data": {"a": 1, "b": 2}})
    assert body == '{"id":"é","data":{"a":1}}'.encode()


@pytest.mark.parametrize("name", ["id", "source", "type", "state", "time", "timestamp", "started_at"])
@pytest.mark.parametrize("line", ["- {}", "{} -> data.x", "data.x -> {}", "{} = x", "{}.deeper = x"])
def test_what_an_event_is_and_when_it_was_cannot_be_changed(name: str, line: str) -> None:
    with pytest.raises(Misread, match=rf"^has a fault in line 1: {name} cannot be changed"):
        read_mapping(line.format(name))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- data.a\ndata.a", "has a fault in line 2: write `field -> name`, `- field` or `field = value`"),
        ("data.a ->", "has a fault in line 1: write `field -> name`, `- field` or `field = value`"),
        ("data.a -> b c", "has a fault in line 1: write `field -> name`, `- field` or `field = value`"),
        ("- a b", "has a fault in line 1: write `field -> name`, `- field` or `field = value`"),
        ("data.a -> data", "has a fault in line 1: name a field inside data"),
        ("attributes = x", "has a fault in line 1: name a field inside attributes"),
        (
            "data.a = b c",
            "has a fault in line 1: behind = stands one value; put one that holds blanks in double quotes",
        ),
        ('- "a', "has a fault in line 1: a double quote is never closed"),
        ("\n".join(["- data.a"] * 51), "has 51 lines, the limit is 50"),
        ("- data" + ".a" * 32, "has a fault in line 1: a field 33 steps deep is too deep, the limit is 32"),
        # Read anew from each quote on, this would take minutes.
        ('- data."' + '\\"' * 100_000, "has a fault in line 1: a double quote is never closed"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(Misread) as caught:
        read_mapping(text)
    assert str(caught.value) == words
