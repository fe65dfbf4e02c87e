"""A ring returns at once, comes at most so often, and hurts nobody when the broker is away."""

import time
from collections.abc import Callable, Iterator

import pytest
from celery import Celery
from redis import Redis

from tests import instances
from tests.services.redis import RedisServer
from tests.waiting import wait_for
from webapp.core.runtime import Bell
from workers.app import TASK_OF, configuration
from workers.doorbell import Doorbell

QUEUE = "hitchpost.delivery"


def _app(broker_url: str) -> Celery:
    app = Celery("rings", set_as_current=False)
    app.conf.update(configuration(instances.settings("sqlite:///x.db", broker_url=broker_url)))
    return app


@pytest.fixture
def broker(redis_url: str) -> Iterator["Redis[bytes]"]:
    with Redis.from_url(redis_url) as client:
        client.flushall()
        yield client


def test_a_ring_reaches_the_queue_of_its_kind(redis_url: str, broker: "Redis[bytes]") -> None:
    with Doorbell(_app(redis_url)) as bell:
        bell(Bell.REFRESH)
        bell(Bell.DELIVERY)
        wait_for(lambda: broker.llen(QUEUE) == 1 and broker.llen("hitchpost.refresh") == 1)


def test_a_ring_carries_no_argument(redis_url: str, broker: "Redis[bytes]") -> None:
    with Doorbell(_app(redis_url)) as bell:
        bell(Bell.DELIVERY)
        wait_for(lambda: broker.llen(QUEUE) == 1)
    sent = broker.lrange(QUEUE, 0, -1)[0]
    assert TASK_OF[Bell.DELIVERY].encode() in sent
    assert b'"body": "W1tdLCB7fSw' in sent  # base64 of `[[], {}, `: no arguments, by position or by name


def test_many_rings_at_once_are_few(redis_url: str, broker: "Redis[bytes]") -> None:
    with Doorbell(_app(redis_url)) as bell:
        began = time.monotonic()
        for _ in range(10_000):
            bell(Bell.DELIVERY)
        seconds = time.monotonic() - began
        wait_for(lambda: broker.llen(QUEUE) > 0)
    assert broker.llen(QUEUE) <= 2 + seconds / 0.02


def test_the_last_ring_is_never_swallowed(redis_url: str, broker: "Redis[bytes]") -> None:
    with Doorbell(_app(redis_url)) as bell:
        for _ in range(20):
            broker.delete(QUEUE)
            bell(Bell.DELIVERY)
            wait_for(lambda: broker.llen(QUEUE) > 0)


def test_nobody_waits_for_a_broker_that_is_away() -> None:
    with Doorbell(_app("redis://127.0.0.1:9/0")) as bell:
        began = time.monotonic()
        for _ in range(100):
            bell(Bell.DELIVERY)
        assert time.monotonic() - began < 0.5


def test_rings_go_on_when_the_broker_is_back(redis_server: Callable[[], RedisServer]) -> None:
    server = redis_server()
    with Doorbell(_app(server.url)) as bell, Redis.from_url(server.url) as client:
        bell(Bell.DELIVERY)
        wait_for(lambda: client.llen(QUEUE) == 1)
        server.stop()
        for _ in range(5):
            bell(Bell.DELIVERY)
        server.start()

        def ring_and_look() -> bool:
            bell(Bell.DELIVERY)
            return client.llen(QUEUE) > 0

        wait_for(ring_and_look, seconds=10)
