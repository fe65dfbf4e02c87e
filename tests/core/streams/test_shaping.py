"""Shaping: conditions, mapping and freshness together, and what each costs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from webapp.core.streams import shaping
from webapp.core.streams.freshness import Freshness, read_limit
from webapp.core.streams.pages import Page
from webapp.core.streams.shaping import Shape, shape_of, shape_page
from webapp.providers.receiving import OutgoingEvent

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def shape(most_bytes: int = 1_000, **settings: Any) -> Shape:
    return shape_of(settings, 0, most_bytes=most_bytes)


def outgoing(seq: int, body: bytes, **fields: Any) -> OutgoingEvent:
    named = {"type": "deployment", "source": "app", "subject": "s", "state": None, "time": NOW}
    return OutgoingEvent(seq=seq, body=body, **named | fields)


def page(*events: OutgoingEvent) -> Page:
    return Page(last_seq=len(events), head_seq=len(events), wanted=events, stored=events)


def test_without_conditions_and_mapping_a_page_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shaping, "parse_envelope", None)
    read = page(outgoing(1, b"not even JSON"))
    assert shape_page(read, shape(types=["*"], fresh_for="1 h")) is read
    by_columns = shape_page(read, shape(where="subject = s\nstate absent\nsource !~ b*"))
    assert [event.seq for event in by_columns.wanted] == [1]


def test_a_body_is_parsed_once_for_all_conditions_and_the_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    parse = shaping.parse_envelope
    monkeypatch.setattr(shaping, "parse_envelope", lambda body: parsed.append(body) or parse(body))
    event = outgoing(1, b'{"id":"a","data":{"a":"b","c":"d"}}')
    made = shape(where="data.a = b\ndata.c = d", mapping="- data.a\ndata.c -> data.e")
    assert shape_page(page(event), made).wanted[0].body == b'{"id":"a","data":{"e":"d"}}'
    assert len(parsed) == 1


def test_what_no_condition_lets_through_is_gone_and_what_is_left_keeps_how_it_is_stored() -> None:
    events = [outgoing(seq, b'{"id":"e","data":{"n":%d}}' % seq) for seq in (1, 2, 3)]
    shaped = shape_page(page(*events), shape(where="data.n != 2", mapping="data.n -> data.m"))
    assert [event.body for event in shaped.wanted] == [
        b'{"id":"e","data":{"m":1}}',
        b'{"id":"e","data":{"m":3}}',
    ]
    assert shaped.stored == [events[0], events[2]]
    assert [shaped.reach(index) for index in range(3)] == [0, 2, 3]


def test_a_subject_that_the_mapping_changes_is_changed_beside_the_body_too() -> None:
    shaped = shape(mapping="data.a -> subject").of(outgoing(1, b'{"id":"a","subject":"s","data":{"a":"t"}}'))
    assert shaped.event.subject == "t"


def test_size_is_measured_after_the_mapping() -> None:
    event = outgoing(1, b'{"id":"a"}')
    grown = shape(100, mapping=f"data.long = {'x' * 100}").of(event)
    assert grown.fault == "the mapping makes it 129 bytes, an event must be below 100"
    assert grown.event is event
    assert shape(130, mapping=f"data.long = {'x' * 100}").of(event).fault is None


def test_what_is_no_envelope_cannot_be_mapped() -> None:
    shaped = shape(mapping="- data.a").of(outgoing(1, b"\x0a\x01"))
    assert shaped.fault == "its body is no JSON, so the mapping cannot be applied"


def test_a_page_is_sendable_up_to_what_cannot_be_sent() -> None:
    events = [outgoing(seq, b'{"id":"%s"}' % (b"x" * size)) for seq, size in ((1, 1), (2, 99), (3, 1))]
    shaped = shape_page(page(*events), shape(100, mapping="- data.a"))
    assert [event.seq for event in shaped.sendable(0)] == [1]
    assert [event.seq for event in shaped.sendable(1)] == []
    assert [event.seq for event in shaped.sendable(2)] == [3]


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("30 s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("15 min", timedelta(minutes=15)),
        ("2 h", timedelta(hours=2)),
        ("30 d", timedelta(days=30)),
    ],
)
def test_a_limit_is_a_length_of_time(text: str, limit: timedelta) -> None:
    assert read_limit(text) == limit


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("soon", "is no length of time: write a whole number and s, m, h or d, like 15 m or 2 h"),
        ("0 m", "is no length of time: write a whole number and s, m, h or d, like 15 m or 2 h"),
        ("1.5 h", "is no length of time: write a whole number and s, m, h or d, like 15 m or 2 h"),
        ("31 d", "is longer than 30 days"),
    ],
)
def test_what_is_no_limit_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        read_limit(text)


def test_an_event_is_late_beyond_the_limit_unless_it_was_rewound_or_backfilled() -> None:
    freshness = Freshness(timedelta(minutes=15), exempt_seq=7)
    assert not freshness.is_over(8, NOW - timedelta(minutes=15), NOW)
    assert freshness.is_over(8, NOW - timedelta(minutes=15, seconds=1), NOW)
    assert not freshness.is_over(7, NOW - timedelta(days=1), NOW)
