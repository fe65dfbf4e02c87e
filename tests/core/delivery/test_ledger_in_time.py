"""The ledger holds exactly beside time: what comes too late, waits too long, is trimmed, joins and leaves."""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from tests.core.delivery.test_ledger import STEPS, Chance, finish
from tests.forwarding import ACTOR, Yard
from webapp.core import connections, destinations, retention
from webapp.core.queries.ledgers import count_wrong
from webapp.errors import HitchpostError
from webapp.lib import clock
from webapp.models import Destination, Event, Notice

_MOST = 5


class Weathered(Chance):
    """The same walk, in which time passes, and destinations come late and end."""

    def __init__(self, yard: Yard, seed: int) -> None:
        super().__init__(yard, seed)
        #: those whose connection ended: acts still draw them
        self.gone: list[UUID] = []

    def step(self) -> None:
        acts: tuple[Callable[[], None], ...] = (self.age, self.age, self.sweep, self.join, self.leave)
        with contextlib.suppress(HitchpostError):
            if self.draw.random() < 0.35:
                self.draw.choice(acts)()
            else:
                super().step()

    def one(self) -> UUID:
        return self.draw.choice([*self.ids, *self.gone])

    def change(self) -> None:
        fresh_for = self.draw.choice(["", "1 h"])
        with self.yard.runtime.database.write() as session:
            settings = {"dataset": "logs", "types": "a* b c", "fresh_for": fresh_for}
            destinations.change_settings(session, ACTOR, self.one(), settings)

    def age(self) -> None:
        """The first events are older from now on, and so is every hold and notice: hours, a week, a month."""
        moment = clock.now() - timedelta(days=self.draw.choice([0.1, 8, 31]))
        old = Event.seq <= self.draw.randint(0, self.count), Event.accepted_at > moment
        self.yard.change(update(Event).where(*old).values(accepted_at=moment))
        self.yard.change(update(Destination).where(Destination.held_at > moment).values(held_at=moment))
        self.yard.change(update(Notice).where(Notice.created_at > moment).values(created_at=moment))

    def sweep(self) -> None:
        retention.sweep(self.yard.runtime)

    def join(self) -> None:
        """Another destination, which begins now or with what is kept: told at once, or a little later."""
        if len(self.ids) >= _MOST:
            return
        name = f"late-{len(self.ids) + len(self.gone)}"
        environment_id = self.yard.environment(self.owner(), name)
        made = self.yard.forward(environment_id, backfill=self.draw.random() < 0.5)
        self.ids.append(made)
        if self.draw.random() < 0.5:
            with self.yard.runtime.database.write() as session:
                destinations.backfill(session, ACTOR, made)

    def owner(self) -> UUID:
        return self.yard.connection(self.ids[0]).user_id

    def leave(self) -> None:
        """One that joined late ends, whatever it was doing."""
        if late := self.ids[2:]:
            left = self.draw.choice(late)
            connections.disconnect(self.yard.runtime, ACTOR, self.yard.connection(left).id)
            self.ids.remove(left)
            self.gone.append(left)


@pytest.mark.parametrize("seed", range(4))
def test_after_every_step_of_a_walk_through_time_both_identities_hold(yard: Yard, seed: int) -> None:
    chance = Weathered(yard, seed)
    for _ in range(STEPS):
        chance.step()
        yard.assert_ledgers_are_exact()
        with yard.runtime.database.read() as session:
            assert count_wrong(session) == 0
    finish(chance)
    yard.assert_ledgers_are_exact()
    sent = {event["id"] for _, event in yard.inbox.taken}
    missing = {f"e{number}" for number in range(1, chance.count + 1)} - sent - yard.inbox.poison
    assert len(missing) <= yard.row(chance.ids[1]).expired, "it wants everything"
