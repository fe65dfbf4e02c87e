"""Pages, filters and attempts, by themselves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update

from tests.forwarding import Yard
from webapp.core.streams.attempts import Run, merge
from webapp.core.streams.filters import matches, wanted
from webapp.core.streams.pages import Gap, Page, read_page
from webapp.models import AttemptOutcome, Event, Stream


def read(yard: Yard, cursor: int = 0, **options: Any) -> Page:
    with yard.runtime.database.read() as session:
        stream_id: UUID = session.scalars(select(Stream.id)).one()
        return read_page(session, stream_id, cursor, **({"rows": 100, "wants": None} | options))


def seqs(page: Page) -> list[int]:
    return [event.seq for event in page.wanted]


def test_a_page_holds_what_is_behind_the_cursor(yard: Yard) -> None:
    yard.user()
    yard.accept(*"abcde")
    page = read(yard, 2)
    assert (seqs(page), page.last_seq, page.head_seq) == ([3, 4, 5], 5, 5)
    assert (seqs(read(yard, 5)), read(yard, 5).last_seq) == ([], 5)


def test_a_page_is_bounded_in_rows(yard: Yard) -> None:
    yard.user()
    yard.accept(*"abcde")
    page = read(yard, 1, rows=2)
    assert (seqs(page), page.last_seq) == ([2, 3], 3)


def test_a_page_is_bounded_in_bytes_but_holds_one_event_at_least(yard: Yard) -> None:
    yard.user()
    yard.accept(*"abc", data={"x": "y" * 1000})
    size = len(read(yard).wanted[0].body)
    page = read(yard, most_bytes=2 * size)
    assert (seqs(page), page.last_seq) == ([1, 2], 2)
    page = read(yard, most_bytes=1)
    assert (seqs(page), page.last_seq) == ([1], 1)


def test_unwanted_events_cost_no_bytes_and_are_passed(yard: Yard) -> None:
    yard.user()
    for name in "abcdef":
        yard.accept(name, type=name, data={"x": "y" * 1000})
    size = len(read(yard).wanted[0].body)
    page = read(yard, wants=lambda kind: kind in "bdf", most_bytes=2 * size)
    assert (seqs(page), page.last_seq) == ([2, 4], 5), "up to the next wanted one"
    page = read(yard, 4, wants=lambda kind: kind in "bd")
    assert (seqs(page), page.last_seq) == ([], 6)


@pytest.mark.parametrize("missing", [3, 4, 5])
def test_a_missing_event_is_a_gap_and_never_passed_over(yard: Yard, missing: int) -> None:
    yard.user()
    yard.accept(*"abcde")
    yard.change(delete(Event).where(Event.seq == missing))
    with pytest.raises(Gap):
        read(yard, 2)
    with pytest.raises(Gap):
        read(yard, 2, wants=lambda _: False)


def test_a_head_that_lags_behind_its_events_hides_none(yard: Yard) -> None:
    yard.user()
    yard.accept(*"abc")
    yard.change(update(Stream).values(head_seq=1))
    assert read(yard).last_seq == 3


@pytest.mark.parametrize(
    ("pattern", "text", "same"),
    [
        ("deployment", "deployment", True),
        ("deployment", "deployment.done", False),
        ("deploy*", "deployment", True),
        ("deploy*", "deploy", True),
        ("deploy*", "redeploy", False),
        ("*.done", "build.done", True),
        ("*.done", ".done", True),
        ("*.done", "done", False),
        ("a*b*c", "aXbYc", True),
        ("a*b*c", "abc", True),
        ("a*b*c", "acb", False),
        ("a*a", "a", False),
        ("a**b", "aXb", True),
        ("*", "", True),
        ("**", "anything", True),
        ("a.b", "axb", False),
        ("[ab]", "a", False),
        ("a?", "ab", False),
        ("", "", True),
        ("*b*", "abc", True),
        ("*bb*b", "bbb", True),
        ("*bb*b", "bb", False),
    ],
)
def test_a_star_stands_for_anything_and_nothing_else_is_special(
    pattern: str, text: str, *, same: bool
) -> None:
    assert matches(pattern, text) is same


def test_a_hostile_pattern_takes_no_time() -> None:
    assert not matches("a*" * 250 + "b", "a" * 512)


def test_no_patterns_or_a_star_want_everything() -> None:
    assert wanted({}) is None
    assert wanted({"types": []}) is None
    assert wanted({"types": ["x", "*"]}) is None
    wants = wanted({"types": ["x", "y*"]})
    assert wants is not None
    assert [kind for kind in ("x", "xx", "y", "yz", "z") if wants(kind)] == ["x", "y", "yz"]


NOW = datetime(2026, 1, 31, tzinfo=UTC)
GOOD = Run(
    first_seq=1,
    last_seq=3,
    events=3,
    outcome=AttemptOutcome.DELIVERED,
    status=202,
    milliseconds=10,
    started_at=NOW,
    ended_at=NOW,
)


def later(run: Run, seconds: float = 1, **changes: Any) -> Run:
    ended = run.ended_at + timedelta(seconds=seconds)
    return replace(run, started_at=ended, ended_at=ended, **changes)


def test_runs_with_one_outcome_become_one_and_keep_their_sums() -> None:
    [run] = merge(
        [GOOD, later(GOOD, first_seq=4, last_seq=9, events=5), later(GOOD, 2, first_seq=10, last_seq=10)]
    )
    assert (run.first_seq, run.last_seq, run.events, run.requests, run.milliseconds) == (1, 10, 11, 3, 30)
    assert (run.started_at, run.ended_at) == (NOW, NOW + timedelta(seconds=2))


def test_another_outcome_status_or_hour_begins_a_new_run() -> None:
    failed = replace(GOOD, outcome=AttemptOutcome.RETRY, status=503)
    for other in (failed, later(GOOD, status=200), later(GOOD, 3601), later(GOOD, words="sent again")):
        assert len(merge([GOOD, other])) == 2
    assert len(merge([failed, replace(failed, status=500)])) == 2


def test_an_event_that_fails_alone_has_a_run_of_its_own() -> None:
    many = replace(GOOD, outcome=AttemptOutcome.RETRY, status=500)
    lone = replace(many, last_seq=1, events=1)
    assert [run.requests for run in merge([many, many, lone, lone, lone])] == [2, 3]
    assert len(merge([lone, replace(lone, first_seq=2, last_seq=2)])) == 2
    [run] = merge([lone, later(lone, 7200)])
    assert run.requests == 2
