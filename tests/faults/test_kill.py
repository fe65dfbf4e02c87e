"""kill -9 of web, worker, beat or all, at any moment: no acknowledged event is lost, and order is kept."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import kill
from tests.faults.campaign import Report

KILLS = 15
SEED = 20260131


def _holds(report: Report) -> None:
    assert report.verdict.faults == ()
    assert report.unexpected == ()
    assert sum(report.kills.values()) == KILLS
    assert report.verdict.events >= KILLS


@pytest.mark.timeout(240)
def test_nothing_is_lost_when_the_embedded_instance_is_killed_again_and_again(tmp_path: Path) -> None:
    _holds(kill.embedded(tmp_path, KILLS, SEED))


@pytest.mark.timeout(240)
def test_nothing_is_lost_when_separate_processes_are_killed_again_and_again(
    tmp_path: Path, postgres_database: Callable[..., str], redis_url: str
) -> None:
    _holds(kill.separate(tmp_path, postgres_database(), redis_url, KILLS, SEED))
