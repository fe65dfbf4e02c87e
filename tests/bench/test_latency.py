"""An event is with the vendor a blink after its 202 when there is nothing else to do."""

import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench import latency

MEDIAN_SECONDS = 0.1


@pytest.mark.timeout(120)
def test_embedded_an_event_arrives_within_a_tenth_of_a_second(tmp_path: Path) -> None:
    assert statistics.median(latency.embedded(tmp_path, 20)) < MEDIAN_SECONDS


@pytest.mark.timeout(120)
def test_on_redis_an_event_arrives_within_a_tenth_of_a_second(
    tmp_path: Path, postgres_database: Callable[..., str], redis_url: str
) -> None:
    assert statistics.median(latency.separate(tmp_path, postgres_database(), redis_url, 20)) < MEDIAN_SECONDS
