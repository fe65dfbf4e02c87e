"""The ledger holds exactly, whatever happens, in whatever order."""

import contextlib
import random
from uuid import UUID

import pytest

from tests.forwarding import ACTOR, SINGLE, Yard, status
from webapp.core import dead_letters, delivery, destinations
from webapp.errors import HitchpostError
from webapp.models import Hold

STEPS = 60


class Chance:
    """Random operations on a yard with two destinations of one stream."""

    def __init__(self, yard: Yard, seed: int) -> None:
        self.yard = yard
        self.draw = random.Random(seed)
        environment_id = yard.environment(yard.user())
        self.ids = [
            yard.forward(environment_id, types="a* b"),
            yard.forward(environment_id, SINGLE.name),
        ]
        self.count = 0

    def step(self) -> None:
        acts = (self.accept, self.accept, self.drain, self.drain, self.fail, self.hold, self.release)
        acts += (self.rewind, self.replay, self.discard, self.change, self.steal)
        self.draw.choice(acts)()

    def one(self) -> UUID:
        return self.draw.choice(self.ids)

    def accept(self) -> None:
        for _ in range(self.draw.randint(1, 4)):
            self.count += 1
            self.yard.accept(f"e{self.count}", type=self.draw.choice(["a1", "a2", "b", "c"]))
            if self.draw.random() < 0.2:
                self.yard.inbox.poison.add(f"e{self.count}")

    def drain(self) -> None:
        self.yard.inbox.manner = self.draw.choice(["lists", "refuses", "breaks"])
        self.yard.hasten()
        for _ in range(self.draw.randint(1, 4)):
            delivery.drain(self.yard.runtime, seconds=0.01)

    def fail(self) -> None:
        if self.draw.random() < 0.5:
            self.yard.inbox.lose()
        else:
            self.yard.inbox.say.append(status(self.draw.choice([200, 413, 429, 500, 301])))

    def hold(self) -> None:
        with self.yard.runtime.database.write() as session:
            destinations.hold(session, self.one(), Hold.PAUSED, "by chance")

    def release(self) -> None:
        with self.yard.runtime.database.write() as session:
            destinations.release(session, ACTOR, self.one())

    def rewind(self) -> None:
        with contextlib.suppress(HitchpostError), self.yard.runtime.database.write() as session:
            destinations.rewind(session, ACTOR, self.one(), to_seq=self.draw.randint(0, self.count + 1))

    def replay(self) -> None:
        with self.yard.runtime.database.write() as session:
            dead_letters.replay_all(session, ACTOR, self.one(), limit=2)

    def discard(self) -> None:
        letters = self.yard.dead_letters(self.one())
        if letters:
            with self.yard.runtime.database.write() as session:
                dead_letters.discard(session, ACTOR, [self.draw.choice(letters).id])

    def change(self) -> None:
        with self.yard.runtime.database.write() as session:
            settings = {"dataset": f"set-{self.draw.randint(1, 3)}", "types": "a* b c"}
            destinations.change_settings(session, ACTOR, self.one(), settings)

    def steal(self) -> None:
        """The next request comes back to find its destination rewound under it."""

        def during() -> None:
            self.yard.inbox.during = lambda: None
            self.rewind()

        self.yard.inbox.during = during


@pytest.mark.parametrize("seed", range(6))
def test_after_every_step_of_a_random_walk_the_ledger_adds_up(yard: Yard, seed: int) -> None:
    chance = Chance(yard, seed)
    for _ in range(STEPS):
        chance.step()
        yard.assert_ledgers_are_exact()
    finish(chance)
    yard.assert_ledgers_are_exact()
    sent = {event["id"] for _, event in yard.inbox.taken}
    assert sent | yard.inbox.poison >= {f"e{number}" for number in range(1, chance.count + 1)}


def finish(chance: Chance) -> None:
    """Everything mended and released: nothing waits any more."""
    yard = chance.yard
    yard.inbox.say.clear()
    yard.inbox.during = lambda: None
    yard.inbox.manner = "lists"
    for destination_id in chance.ids:
        with yard.runtime.database.write() as session:
            destinations.release(session, ACTOR, destination_id)
    yard.accept("last", type="b")
    yard.drain(hastened=3)
    for destination_id in chance.ids:
        row = yard.row(destination_id)
        assert (row.cursor_seq, row.due_at, row.queued) == (chance.count + 1, None, 0)
