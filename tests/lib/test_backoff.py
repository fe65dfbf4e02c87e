"""Waiting grows by doubling up to a cap, and is never nothing."""

import pytest

from webapp.lib.backoff import full_jitter


@pytest.mark.parametrize(
    ("failures", "draw", "seconds"),
    [
        (1, 0.0, 0.1),  # the least: a tenth of the base
        (1, 1.0, 1.0),  # the most: the base
        (2, 1.0, 2.0),
        (5, 1.0, 16.0),
        (5, 0.5, 8.8),
        (50, 1.0, 900.0),  # the cap
        (10_000, 1.0, 900.0),  # no overflow
    ],
)
def test_the_wait_is_a_share_of_a_doubling_ceiling(failures: int, draw: float, seconds: float) -> None:
    assert full_jitter(failures, base=1.0, cap=900.0, draw=draw) == pytest.approx(seconds)


def test_chance_spreads_the_waits() -> None:
    waits = {full_jitter(4, base=1.0, cap=60.0) for _ in range(100)}
    assert len(waits) > 90
    assert all(0.8 <= wait <= 8.0 for wait in waits)
