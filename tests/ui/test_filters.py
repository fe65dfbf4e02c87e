"""How times and numbers are shown."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from webapp.ui._filters import ago, duration, number, one_or_many, relative

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "just now"),
        (-0.5, "just now"),
        (1.0, "1 s ago"),
        (59.9, "59 s ago"),
        (60.0, "1 min ago"),
        (3_600.0, "1 h ago"),
        (86_400.0 * 2, "2 d ago"),
        (-90.0, "in 1 min"),
        (86_400.0 * 31, None),
    ],
)
def test_a_time_is_told_by_its_largest_unit(seconds: float, shown: str | None) -> None:
    told = relative(seconds)
    assert (told.replace("\N{NO-BREAK SPACE}", " ") if told else told) == shown


def test_the_exact_time_stands_in_the_title() -> None:
    with time_machine.travel(NOW, tick=False):
        shown = ago(NOW - timedelta(minutes=5))
        assert shown == (
            '<time datetime="2026-03-04T11:55:00.000Z" title="4 March 2026, 11:55:00 UTC">5\xa0min ago</time>'
        )
        assert ">1 Jan 2026</time>" in ago(datetime(2026, 1, 1, tzinfo=UTC))
        assert ">never</span>" in ago(None)
        assert "&lt;b&gt;" in ago(None, "<b>")


def test_numbers_and_lengths_read_alike_everywhere() -> None:
    assert number(1_234_567).split("\N{NARROW NO-BREAK SPACE}") == ["1", "234", "567"]
    assert duration(0.25) == "250\N{NO-BREAK SPACE}ms"


def test_one_of_a_thing_is_named_so() -> None:
    assert [one_or_many("dead letters", count) for count in (0, 1, 2)] == [
        "dead letters",
        "dead letter",
        "dead letters",
    ]
