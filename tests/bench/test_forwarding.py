"""The table of forwarding is made as its command makes it, in small: what it says then is not judged."""

from pathlib import Path

import pytest

from tests.bench.forwarding import accepting, backlog, fairness, overload
from tests.bench.forwarding.__main__ import GROUPS, arguments
from tests.bench.forwarding.neighbours import Mood
from tests.bench.forwarding.table import Row, markdown, one_of


@pytest.mark.timeout(60)
def test_accepting_is_measured_beside_hello_world(tmp_path: Path) -> None:
    rows = list(accepting.rows(tmp_path, None, rounds=1, seconds=0.1))
    assert all(row.seen > 0 for row in rows)
    assert markdown(rows).count("\n") == len(rows) + 2


def test_a_backlog_is_measured_beside_a_small_one(tmp_path: Path) -> None:
    rows = list(backlog.rows(tmp_path, None, share=0.002, turns=2))
    assert len(rows) == 5
    assert all(row.seen > 0 for row in rows)


@pytest.mark.timeout(120)
def test_others_are_measured_beside_trouble_and_a_flood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fairness, "TROUBLES", (Mood.DEAD,))  # the slow and the flapping one take their time
    rows = list(fairness.rows(tmp_path, None, rounds=1, seconds=0.1, share=0.05))
    assert len(rows) == 5
    assert all(row.seen > 0 for row in rows)


@pytest.mark.timeout(60)
def test_what_there_is_no_room_for_is_refused_at_no_memory(tmp_path: Path) -> None:
    (row,) = overload.rows(tmp_path, None, seconds=2)
    assert row.seen > 0


def test_every_group_of_rows_can_be_asked_for_by_name() -> None:
    assert arguments().parse_args([]).rows == list(GROUPS)
    assert arguments().parse_args(["accepting", "--rounds", "1"]).rows == ["accepting"]


def test_a_ratio_is_the_median_of_what_was_measured_side_by_side() -> None:
    row = Row(name="cost", must=1 / 3, aim=1 / 9, more=False, write=one_of, pairs=[(1, 4), (1, 5), (9, 10)])
    assert row.seen == 1 / 4
    assert row.reached == "must"
    assert "| cost | ≤ 1/3 | ≤ 1/9 | **1/4** | must |  |" in markdown([row])
