"""Faults of the network between us and one other part, between the world and us, or around a host."""

import random
from collections.abc import Callable
from typing import ClassVar

from tests.faults import proxy
from tests.faults.stage import Stage
from webapp.core.streams.leases import LEASE_SECONDS

_WEATHERS: tuple[Callable[[random.Random], proxy.Weather], ...] = (
    lambda _: proxy.Broken(),
    lambda _: proxy.Broken(reset=True),
    lambda _: proxy.Truncated(),
    lambda _: proxy.Truncated(reset=True),
    lambda _: proxy.Held(),
    lambda _: proxy.Dripping(),
    lambda chance: proxy.Delayed(chance.choice((0.02, 0.3))),
)


class Storm:
    """Bad weather on one leg: ends, resets, broken-off answers, a partition, a drip, a delay."""

    lasts: ClassVar[tuple[float, float]] = (0.2, 3.0)

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._name = chance.choice(sorted(stage.legs))
        self._leg = stage.legs[self._name]
        self._weather = chance.choice(_WEATHERS)(chance)

    def strike(self) -> str:
        self._leg.change(self._weather)
        return f"{self._weather} before {self._name}"

    def mend(self) -> None:
        self._leg.clear()


class Cable:
    """A host without a network, longer or shorter than its leases."""

    lasts: ClassVar[tuple[float, float]] = (0.5, LEASE_SECONDS + 3)

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        assert stage.hosts is not None
        self._hosts = stage.hosts
        self._number = chance.randrange(stage.hosts.count)

    def strike(self) -> str:
        self._hosts.cut(self._number)
        return f"the cable of host {self._number + 1}"

    def mend(self) -> None:
        self._hosts.join(self._number)
