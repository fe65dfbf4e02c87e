"""Short campaigns: kills, a frozen worker, bad networks, lies, full disks, clocks that jump; none lose."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.faults import campaign, evidence
from tests.faults.course import Campaign, Orders, Report
from tests.faults.stage import POSTGRES, Stage
from tests.waiting import wait_for
from workers.crew import POLL_SECONDS

SEED = 20260131
EMBEDDED = ("kill", "proxy", "vendor", "restart", "disk", "clock")
SEPARATE = ("stop-briefly", "kill", "postgres", "redis", "vendor", "proxy", "disk", "clock")
#: For a busy machine: what a poll takes once it looks.
SLACK_SECONDS = 2.0
#: An easy load: what it costs is better spent on faults.
EASY = {"senders": 1, "pause": 0.2}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two of each on PostgreSQL and Redis, and a third beat; each test has a campaign of its own there."""
    orders = Orders(seed=SEED, setup=POSTGRES, faults=SEPARATE, webs=2, workers=2, beats=3)
    with campaign.staged(tmp_path_factory.mktemp("separate"), orders) as made:
        yield made


def holds(report: Report, strikes: int) -> None:
    assert report.verdict.faults == ()
    assert sum(report.struck.values()) == strikes
    assert report.verdict.events >= strikes


def goes_on(stage: Stage, events: int = 20) -> None:
    goal = stage.history.count + events
    wait_for(lambda: stage.history.count >= goal, seconds=30)


def keeps_up(stage: Stage) -> None:
    """What is acknowledged by now is at the vendor after one poll at most."""
    aim, since = stage.aims[0], time.monotonic()
    sent = stage.history.sent
    known = {one for one in stage.history.acknowledged if sent[one].user == aim.user and not sent[one].poison}
    wait_for(lambda: known <= set(evidence.arrivals(stage.sandbox, aim)), seconds=30)
    assert time.monotonic() - since <= POLL_SECONDS + SLACK_SECONDS


@pytest.mark.timeout(240)
def test_a_campaign_against_the_embedded_instance_loses_nothing(tmp_path: Path) -> None:
    strikes = len(EMBEDDED)
    orders = Orders(seed=SEED, faults=EMBEDDED, first=EMBEDDED, strikes=strikes, **EASY)
    holds(campaign.run(tmp_path, orders), strikes)


@pytest.mark.timeout(240)
def test_a_campaign_against_separate_processes_loses_nothing(stage: Stage) -> None:
    strikes = len(SEPARATE)
    orders = Orders(seed=SEED, faults=SEPARATE, first=SEPARATE, strikes=strikes, **EASY)
    holds(Campaign(stage, orders).run(), strikes)


@pytest.mark.timeout(240)
def test_rolling_restarts_lose_no_event_and_no_answer(stage: Stage) -> None:
    orders = Orders(seed=1, faults=["roll"], strikes=2, in_order=True, **EASY)
    holds(Campaign(stage, orders).run(), 2)


@pytest.mark.timeout(240)
def test_three_beats_no_beat_an_empty_redis_and_none_are_all_harmless(stage: Stage) -> None:
    """Nothing is lost, nothing comes twice, and nothing waits beyond a poll."""
    assert stage.broker is not None
    run = Campaign(stage, Orders(seed=2, faults=(), in_order=True, **EASY))
    run.begin()
    goes_on(stage)
    keeps_up(stage)
    for name in ("beat", "beat2", "beat3"):
        stage.instance.kill(name)
    goes_on(stage)
    keeps_up(stage)
    with Redis.from_url(stage.broker.url) as client:
        for _ in range(10):
            client.flushall()
            goes_on(stage, 3)
    stage.broker.stop()
    goes_on(stage)
    keeps_up(stage)
    stage.broker.start()
    goes_on(stage)
    assert run.end().verdict.faults == ()
