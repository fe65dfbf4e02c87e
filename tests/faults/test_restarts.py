"""Restarts in order, under load: SIGTERM ends what is under way; nothing is lost and nothing comes twice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import kill
from tests.faults.campaign import Report

RESTARTS = 4
SEED = 20260201


def _holds(report: Report) -> None:
    assert report.verdict.faults == ()
    assert report.verdict.repeats == 0
    assert report.lost_answers == 0
    assert report.unexpected == ()


@pytest.mark.timeout(240)
def test_the_embedded_instance_restarts_without_a_lost_answer(tmp_path: Path) -> None:
    _holds(kill.embedded(tmp_path, RESTARTS, SEED, in_order=True))


@pytest.mark.timeout(240)
def test_separate_processes_restart_without_a_lost_answer(
    tmp_path: Path, postgres_database: Callable[..., str], redis_url: str
) -> None:
    _holds(kill.separate(tmp_path, postgres_database(), redis_url, RESTARTS, SEED, in_order=True))
