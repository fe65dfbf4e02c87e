"""Counting tries: together while there is Redis, alone without it, never without end."""

from collections.abc import Callable

import pytest

from tests.services.redis import RedisServer
from webapp.errors import Overloaded
from webapp.settings import Settings
from webapp.ui._throttle import Rule, Throttle

RULE = Rule("test", "3 per minute")


def _tries(throttle: Throttle, *who: str) -> int:
    """How many tries go through before one is refused, of ten."""
    for count in range(10):
        try:
            throttle.count(RULE, *who)
        except Overloaded:
            return count
    return 10


def test_one_process_counts_for_itself_and_keeps_names_apart() -> None:
    throttle = Throttle(Settings())
    assert _tries(throttle, "192.0.2.1", "bob") == 3
    assert _tries(throttle, "192.0.2.1", "bob") == 0
    assert _tries(throttle, "192.0.2.1", "dan") == 3
    assert _tries(throttle, "192.0.2.2", "bob") == 3


def test_processes_count_together_by_redis(redis_url: str) -> None:
    first, second = (Throttle(Settings(broker_url=redis_url)) for _ in range(2))
    assert _tries(first, "192.0.2.1", "together") == 3
    assert _tries(second, "192.0.2.1", "together") == 0


def test_without_redis_each_still_refuses(redis_server: Callable[[], RedisServer]) -> None:
    server = redis_server()
    throttle = Throttle(Settings(broker_url=server.url))
    assert _tries(throttle, "192.0.2.1") == 3
    server.stop()
    assert _tries(throttle, "192.0.2.1") == 3
    assert _tries(throttle, "192.0.2.1") == 0
    with pytest.raises(
        Overloaded, match=r"^There were too many tries from here\. Wait \d+ seconds"
    ) as caught:
        throttle.count(RULE, "192.0.2.1")
    assert 1 <= caught.value.retry_after <= 61
