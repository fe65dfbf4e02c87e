"""Conditions: a line each, judged on envelopes; what is wrong with a line is said with its number."""

import time
from typing import Any

import pytest

from webapp.core.streams.conditions import read_conditions
from webapp.core.streams.paths import Misread

ENVELOPE: dict[str, Any] = {
    "id": "d-1",
    "type": "deployment",
    "subject": "checkout-api",
    "state": None,
    "data": {
        "environment": "production",
        "tags": ["blue", "canary"],
        "replicas": 3,
        "share": 0.5,
        "forced": True,
        "nothing": None,
        "k8s.pod": {"name": "checkout 1"},
    },
}


def holds(line: str) -> bool:
    (condition,) = read_conditions(line)
    return condition.holds(ENVELOPE)


@pytest.mark.parametrize(
    "line",
    [
        "data.environment = production",
        'data.environment = "production"',
        "data.environment in staging production",
        "data.environment ~ prod*",
        "data.environment ~ *duct*",
        "subject ~ checkout-*",
        "type = deployment",
        "data.tags = canary",
        "data.tags ~ bl*",
        "data.replicas = 3",
        "data.share = 0.5",
        "data.forced = true",
        'data."k8s.pod".name = "checkout 1"',
        "data.environment present",
        "data.replicas present",
    ],
)
def test_a_condition_holds_for_what_is_as_it_says(line: str) -> None:
    assert holds(line)
    assert not holds(opposite(line))


@pytest.mark.parametrize(
    "line",
    [
        "data.environment = prod",
        "data.environment = PRODUCTION",
        "data.environment.deeper = production",
        "data.nothing = null",
        "data.nothing present",
        "data.gone ~ *",
        "state present",
        "data = production",
        "data.replicas = 3.0",
        "data.tags in green red",
    ],
)
def test_what_is_other_absent_or_null_equals_nothing(line: str) -> None:
    assert not holds(line)
    assert holds(opposite(line))


def opposite(line: str) -> str:
    for word, other in ((" = ", " != "), (" ~ ", " !~ "), (" in ", " not in "), (" present", " absent")):
        if word in line:
            return line.replace(word, other, 1)
    raise AssertionError(line)


def test_every_line_must_hold_and_some_say_nothing() -> None:
    found = read_conditions("\n# of production\n data.environment = production \n\nsubject !~ *-test\n")
    assert [(one.line, one.text) for one in found] == [
        (3, "data.environment = production"),
        (5, "subject !~ *-test"),
    ]


def test_only_what_is_not_kept_beside_a_body_needs_it() -> None:
    found = read_conditions("type ~ a*\nsource = b\nsubject present\nstate = start\nmessage = x\ndata.a = b")
    assert [one.needs_body for one in found] == [False, False, False, False, True, True]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "subject = a\nservice = b",
            "has a fault in line 2: an event has no service; what the app sent is in data: data.service",
        ),
        (
            "data.a",
            "has a fault in line 1: behind the field stands one of = != ~ !~ in, not in, present or absent",
        ),
        (
            "data.a is b",
            "has a fault in line 1: behind the field stands one of = != ~ !~ in, not in, present or absent",
        ),
        ("data.a =", "has a fault in line 1: behind = a value is missing"),
        ("data.a not in", "has a fault in line 1: behind not in a value is missing"),
        (
            "data.a = b c",
            "has a fault in line 1: behind = stands one value; put one that holds blanks in double quotes",
        ),
        ("data.a present b", "has a fault in line 1: behind present stands nothing"),
        ('data.a = "b', "has a fault in line 1: a double quote is never closed"),
        (
            "a..b = b",
            "has a fault in line 1: a..b is no field: names between dots, in double quotes what holds a dot",
        ),
        (
            "data. = b",
            "has a fault in line 1: data. is no field: names between dots, in double quotes what holds a dot",
        ),
        (
            'data.a = "b"c',
            'has a fault in line 1: "b"c is neither a word nor a text in double quotes',
        ),
        ("\n".join(["subject present"] * 51), "has 51 lines, the limit is 50"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(Misread) as caught:
        read_conditions(text)
    assert str(caught.value) == words


def test_a_pattern_takes_linear_time_whatever_it_is() -> None:
    (condition,) = read_conditions("data.text ~ " + "*a" * 500 + "*b")
    short, long = ({"data": {"text": "a" * length}} for length in (20_000, 200_000))
    assert seconds(condition.holds, long) < 60 * max(seconds(condition.holds, short), 0.0002)


def test_a_line_of_quotes_is_read_in_linear_time() -> None:
    for text in ('data.a = "' + '\\"' * 4_000, "data.a = " + '""' * 4_000, "a" + '."a"' * 2_000 + ' = "'):
        assert seconds(misread, text) < 0.5


def misread(text: str) -> None:
    with pytest.raises(Misread):
        read_conditions(text)


def seconds(what: Any, argument: Any) -> float:
    start = time.process_time()
    what(argument)
    return time.process_time() - start
