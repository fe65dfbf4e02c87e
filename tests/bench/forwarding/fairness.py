"""What others cost: neighbours whose vendor is dead, slow or flapping, on both set-ups; and an outage.

Good users have a backlog sent, as fast as it goes, alone and beside neighbours in trouble in turns. Events
for the neighbours come in all the while, few, so that their own deliveries are no work to speak of; while
the good users are to be alone, the neighbours' destinations are paused.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import func, select

from tests.bench.forwarding import filling, flooding, stage
from tests.bench.forwarding.contestants import Ours, crowd
from tests.bench.forwarding.neighbours import FLAP_SECONDS, Mood, Neighbour
from tests.bench.forwarding.services import Services
from tests.bench.forwarding.stage import Ground
from tests.bench.forwarding.steady import Steady
from tests.bench.forwarding.table import Row
from tests.bench.forwarding.table import seconds as in_seconds
from tests.waiting import wait_for
from webapp.models import Attempt, AttemptOutcome

#: what waits for the good users together, and what an outage leaves behind
_BACKLOG, _LEFT = 120_000, 40_000
_GOOD, _BAD = 4, 8
#: events a second for all neighbours together
_TRICKLE = 4
_TROUBLES = (Mood.DEAD, Mood.SLOW, Mood.FLAPPING)


def rows(
    folder: Path, services: Services | None, *, rounds: int, seconds: float, share: float
) -> Iterator[Row]:
    """Without `services` on SQLite alone."""
    how = partial(Ground, rounds=rounds, length=seconds, share=share)
    with ExitStack() as stack:
        vendor = stack.enter_context(closing(stage.Vendor(folder)))
        neighbour = stack.enter_context(closing(Neighbour()))
        with stage.embedded(folder, vendor, last9_url=neighbour.url) as small:
            ground = how(base="SQLite, one process", stage=small, vendor=vendor)
            yield from _beside(ground, neighbour)
            yield from flooding.rows(ground, lone=True)
            yield _recovery(ground)
        if services is not None:
            with stage.separate(folder, vendor, services, last9_url=neighbour.url) as large:
                ground = how(base="PostgreSQL", stage=large, vendor=vendor)
                yield from _beside(ground, neighbour)
                yield from flooding.rows(ground, lone=False)


def _beside(ground: Ground, neighbour: Neighbour) -> Iterator[Row]:
    """A round is every trouble, one after the other, between two times alone."""
    street = _Street(
        good=crowd(ground.stage, ground.vendor, "good", _GOOD),
        bad=crowd(ground.stage, ground.vendor, "bad", _BAD, stage.SINGLE),
        neighbour=neighbour,
    )
    for destination_id in street.good.destination_ids():
        filling.make_wait(ground.stage.runtime.database, destination_id, ground.part(_BACKLOG) // _GOOD)
    wait_for(lambda: street.good.behind() == 0, seconds=120)
    pairs: dict[Mood, list[tuple[float, float]]] = {mood: [] for mood in _TROUBLES}
    before = street.alone()
    for _ in range(ground.rounds):
        seen = [street.in_trouble(mood) for mood in _TROUBLES]
        after = street.alone()
        for mood, rate in zip(_TROUBLES, seen, strict=True):
            pairs[mood].append((rate, (before + after) / 2))
        before = after
    for mood in _TROUBLES:
        name = f"others' delivery rate beside a {mood} neighbour ({ground.base})"
        yield Row(name=name, must=0.9, aim=0.97, pairs=pairs[mood], unit="/s")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Street:
    """Good users, their neighbours, and the neighbours' vendor."""

    good: Ours
    bad: Ours
    neighbour: Neighbour

    def alone(self) -> float:
        """Events a second of the good users."""
        self.bad.hold(holding=True)
        with self._trickle().going_on():
            rate = self.good.deliver_again()
        self._recover()
        return rate

    def in_trouble(self, mood: Mood) -> float:
        """The same from the moment when the trouble is met, so with its beginning, which is the worst."""
        self.neighbour.be(mood)
        before, asked = self._failed(), lambda: self.neighbour.failed or self._failed() > before
        with self._trickle().going_on():
            wait_for(asked, seconds=30)
            met, start = self.neighbour.failed, time.monotonic()
            rate = self.good.deliver_again()
            periods = (time.monotonic() - start) // (2 * FLAP_SECONDS)
            assert mood is not Mood.FLAPPING or self.neighbour.failed - met >= periods - 1
        self._recover()
        return rate

    def _trickle(self) -> Steady:
        return Steady(where=self.good.stage, users=self.bad.users, rate=_TRICKLE)

    def _recover(self) -> None:
        """The vendor is well, and what waits for it is delivered: nothing of the neighbours is ever lost."""
        self.neighbour.be(Mood.WELL)
        self.bad.hold(holding=False)
        wait_for(lambda: self.bad.behind() == 0 and self.bad.is_at_rest(), seconds=60)

    def _failed(self) -> int:
        """Requests that failed, as the neighbours' pages show them."""
        failed = select(func.coalesce(func.sum(Attempt.requests), 0)).where(
            Attempt.destination_id.in_(self.bad.destination_ids()),
            Attempt.outcome != AttemptOutcome.DELIVERED,
        )
        with self.bad.stage.runtime.database.read() as session:
            return session.execute(failed).scalar_one()


def _recovery(ground: Ground) -> Row:
    some, vendor = crowd(ground.stage, ground.vendor, "some", _GOOD), ground.vendor
    count, pairs = ground.part(_LEFT), []
    for _ in range(ground.rounds):
        vendor.forget()
        vendor.say("down")
        some.accept(count)
        time.sleep(ground.length)
        vendor.say("up")
        start = time.monotonic()
        wait_for(lambda: vendor.counts()["events"] >= count, seconds=60, pause=0.05)
        pairs.append((time.monotonic() - start, 1.0))
    name = f"from a vendor's recovery until {count:,} events are delivered ({ground.base})"
    return Row(name=name, must=10, aim=7, pairs=pairs, more=False, write=in_seconds)
