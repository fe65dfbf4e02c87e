"""Faults of the vendors: they lie, or let us wait."""

import random
from typing import ClassVar

from tests.faults import liar
from tests.faults.stage import Stage


class Lies:
    """Each of the next requests to every vendor is lied to, each in another way."""

    lasts: ClassVar[tuple[float, float]] = (0.5, 2.0)
    known: ClassVar = liar.QUICK
    at_once: ClassVar[int] = 4

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._stage, self._chance = stage, chance

    def strike(self) -> str:
        told = []
        for name, one in sorted(self._stage.liars.items()):
            chosen = self._chance.sample(self.known, min(self.at_once, len(self.known)))
            for lie in chosen:
                one.tell(lie)
            told.append(f"{name}: {', '.join(lie.__name__ for lie in chosen)}")
        # What waits after a lie meets the next one.
        self._stage.hasten()
        return f"lies to {'; '.join(told)}"

    def mend(self) -> None:
        for one in self._stage.liars.values():
            one.be_honest()


class SlowLies(Lies):
    """Answers that come after everybody's patience."""

    lasts: ClassVar[tuple[float, float]] = (13.0, 15.0)
    known: ClassVar = liar.SLOW
    at_once: ClassVar[int] = 1
