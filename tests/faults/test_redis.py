"""Redis is a doorbell: emptied or stopped, it loses nothing and delays by one poll at most."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests import instances, seeding, servers
from tests.faults.history import History, judge
from tests.faults.kill import vendor_settings
from tests.faults.load import Sender
from tests.seeding import Connected
from tests.services.redis import RedisServer
from tests.waiting import wait_for
from webapp.sandbox import Sandbox, serve
from workers.crew import POLL_SECONDS

#: For a busy machine: what a poll takes once it looks.
SLACK_SECONDS = 1.5


class Running:
    """The Procfile's processes, a user who sends, and what the vendor has got."""

    def __init__(self, url: str, key: str, user: Connected, sandbox: Sandbox) -> None:
        self.url = url
        self.user = user
        self._sandbox = sandbox
        self.history = History()
        self.sender = Sender(url, key, user.external_id, self.history)

    def arrived(self) -> list[str]:
        """Event ids at the vendor, in order of arrival."""
        receipts = self._sandbox.world.desk.recorder.received("baselime", self.user.account)
        return [receipt.event["id"] for receipt in receipts if isinstance(receipt.event, dict)]

    def finish(self) -> None:
        """Stop sending, wait for the rest, and judge."""
        self.sender.end()
        self.sender.join()
        wait_for(lambda: len(set(self.arrived())) >= self.history.count, seconds=20)
        verdict = judge(self.history, {self.user.external_id: self.arrived()}, {})
        assert verdict.faults == ()
        assert self.sender.unexpected == []


@pytest.fixture
def broker(redis_server: Callable[[], RedisServer]) -> RedisServer:
    return redis_server()


@pytest.fixture
def running(tmp_path: Path, postgres_database: Callable[..., str], broker: RedisServer) -> Iterator[Running]:
    database_url = postgres_database()
    with serve(port=0) as sandbox:
        instance = servers.Separate(tmp_path, database_url, broker.url, **vendor_settings(sandbox))
        with instances.running(database_url, **vendor_settings(sandbox)) as runtime:
            user = seeding.connect(runtime, sandbox.urls["console"], "u1")
            key = seeding.api_key(runtime)
        instance.start()
        try:
            wait_for(lambda: servers.is_ready(instance.url), seconds=60)
            yield Running(instance.url, key, user, sandbox)
        finally:
            instance.stop()


@pytest.mark.timeout(180)
def test_flushing_redis_again_and_again_loses_nothing(running: Running, broker: RedisServer) -> None:
    running.sender.start()
    with Redis.from_url(broker.url) as client:
        for _ in range(30):
            client.flushall()
            before = running.history.count
            wait_for(lambda: running.history.count > before + 5, seconds=20)  # noqa: B023 - used at once
    running.finish()


@pytest.mark.timeout(180)
def test_a_stopped_redis_delays_by_one_poll_and_loses_nothing(running: Running, broker: RedisServer) -> None:
    broker.stop()
    running.sender.start()
    wait_for(lambda: running.history.count >= 20, seconds=20)
    latest, since = running.history.count, time.monotonic()
    wait_for(lambda: len(running.arrived()) >= latest, seconds=20)
    assert time.monotonic() - since <= POLL_SECONDS + SLACK_SECONDS
    broker.start()
    count = running.history.count
    wait_for(lambda: running.history.count > count + 20, seconds=20)
    running.finish()
