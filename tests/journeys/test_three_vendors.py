"""One event sent once is in the inbox of every vendor that its user has connected, within a second."""

import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys import three_vendors
from tests.journeys.three_vendors import Result

pytestmark = pytest.mark.timeout(180)

SECONDS = 1.0


def _holds(result: Result) -> None:
    for name, arrived in result.arrived.items():
        assert arrived == result.sent, name
    assert statistics.median(result.seconds) < SECONDS


def test_on_sqlite_with_the_worker_inside(tmp_path: Path) -> None:
    _holds(three_vendors.embedded(tmp_path))


def test_on_postgresql_and_redis(
    tmp_path: Path, postgres_database: Callable[..., str], redis_url: str
) -> None:
    _holds(three_vendors.separate(tmp_path, postgres_database(), redis_url))
