"""A campaign: load, a killer with a seed, a quiet time, and the checker's verdict."""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.request import urlopen

from sqlalchemy import func, select

from tests import seeding, servers
from tests.faults.history import History, Verdict, judge
from tests.faults.load import Sender
from tests.seeding import Connected
from tests.waiting import wait_for
from webapp.core.runtime import Runtime
from webapp.models import Attempt, AttemptOutcome
from webapp.sandbox import Sandbox

USERS = 4
#: A lease of a worker that was killed runs out after 15 s on PostgreSQL.
QUIET_SECONDS = 45.0
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a campaign did and found."""

    verdict: Verdict
    kills: Mapping[str, int]
    seconds: float
    #: requests whose answer was lost, by the attempts on record
    lost_answers: int
    #: statuses that no host app should ever see
    unexpected: tuple[int, ...]


class Campaign:
    """Runs against one instance; `runtime` looks into the same database from outside."""

    def __init__(self, instance: servers.Instance, sandbox: Sandbox, runtime: Runtime) -> None:
        self._instance = instance
        self._sandbox = sandbox
        self._runtime = runtime
        self._history = History()

    def run(self, kills: int, seed: int, *, in_order: bool = False) -> Report:
        """Kill so often, at random moments, while events come in; then wait for what is due, and judge.

        With `in_order` parts are stopped by SIGTERM instead, and no answer may be lost.
        """
        hit = self._instance.end if in_order else self._instance.kill
        began = time.monotonic()
        chance = random.Random(seed)
        users = [seeding.connect(self._runtime, self._sandbox.urls["console"], f"u{n}") for n in range(USERS)]
        key = seeding.api_key(self._runtime)
        self._instance.start()
        wait_for(lambda: servers.answers(self._instance.url), seconds=_START_SECONDS)
        senders = [Sender(self._instance.url, key, user.external_id, self._history) for user in users]
        for sender in senders:
            sender.start()
        done: dict[str, int] = {}
        for _ in range(kills):
            part = chance.choice(self._instance.parts)
            self._hit(partial(hit, part), chance)
            done[part] = done.get(part, 0) + 1
        for sender in senders:
            sender.end()
        for sender in senders:
            sender.join()
        verdict = self._judge(users)
        unexpected = tuple(status for sender in senders for status in sender.unexpected)
        return Report(
            verdict=verdict,
            kills=done,
            seconds=time.monotonic() - began,
            lost_answers=sum(self._explained(users).values()),
            unexpected=unexpected,
        )

    def _hit(self, hit: Callable[[], None], chance: random.Random) -> None:
        """Hit, mend after a moment, and let some events through before the next time."""
        hit()
        time.sleep(chance.uniform(0, 0.2))
        self._instance.mend()
        before = self._history.count
        goal = before + chance.randint(1, 40)
        wait_for(lambda: self._history.count >= goal, seconds=_START_SECONDS)

    def _judge(self, users: list[Connected]) -> Verdict:
        deadline = time.monotonic() + QUIET_SECONDS
        while True:
            verdict = judge(self._history, self._arrivals(users), self._explained(users))
            lost = [fault for fault in verdict.faults if "lost" in fault]
            if not lost or time.monotonic() > deadline:
                return verdict
            time.sleep(0.2)

    def _arrivals(self, users: list[Connected]) -> dict[str, list[str]]:
        url = f"{self._sandbox.urls['console']}/api/received?vendor=baselime"
        with urlopen(url, timeout=10) as answer:  # noqa: S310 - the sandbox on loopback
            received = json.load(answer)["received"]
        by_account: dict[str, list[str]] = {user.account: [] for user in users}
        for one in received:
            by_account.setdefault(one["account"], []).append(one["event"]["id"])
        names = {user.account: user.external_id for user in users}
        return {names.get(account, account): events for account, events in by_account.items()}

    def _explained(self, users: list[Connected]) -> dict[str, int]:
        """Requests whose answer was lost, by the attempts on record."""
        lost = (AttemptOutcome.INTERRUPTED, AttemptOutcome.POSSIBLY_DELIVERED)
        explained: dict[str, int] = {}
        with self._runtime.database.read() as session:
            for user in users:
                requests = select(func.coalesce(func.sum(Attempt.requests), 0)).where(
                    Attempt.destination_id == user.destination_id, Attempt.outcome.in_(lost)
                )
                explained[user.external_id] = int(session.execute(requests).scalar_one())
        return explained
