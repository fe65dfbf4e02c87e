"""The nemesis: one small class a fault, and a hand that strikes with them by a seed."""

import random
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from tests.faults.nemesis import network, places, processes, services, vendors
from tests.faults.stage import POSTGRES, Stage


class Fault(Protocol):
    """Struck once and mended once; then made anew."""

    #: how long it lasts, in seconds: from, to
    lasts: tuple[float, float]

    def __init__(self, stage: Stage, chance: random.Random) -> None: ...

    def strike(self) -> str:
        """Do it, and say what."""
        ...

    def mend(self) -> None:
        """Undo it; processes that have ended are started by the stage."""
        ...


#: Only between hosts of their own.
CABLE = "cable"
#: What `--faults` names.
FAULTS: Mapping[str, Sequence[type[Fault]]] = {
    "kill": (processes.Kill,),
    "restart": (processes.End,),
    "roll": (processes.Roll,),
    "stop": (processes.Freeze,),
    "stop-briefly": (processes.FreezeBriefly,),
    "postgres": (services.KillPostgres, services.StopPostgres, services.KillBackend),
    "redis": (services.KillRedis, services.FlushRedis),
    "proxy": (network.Storm,),
    CABLE: (network.Cable,),
    "vendor": (vendors.Lies,),
    "slow-vendor": (vendors.SlowLies,),
    "disk": (places.FullDisk,),
    "clock": (places.Jump,),
}
_ONLY_POSTGRES = ("postgres", "redis")
#: Only by name: others do the same, longer.
_NOT_BY_CHANCE = ("roll", "stop-briefly")
_OFTEN = {"kill": 6, "postgres": 3, "redis": 2, "proxy": 2, "vendor": 2}


def known(setup: str) -> list[str]:
    """The names that mean something in this set-up."""
    return [name for name in FAULTS if name != CABLE and (setup == POSTGRES or name not in _ONLY_POSTGRES)]


def usual(setup: str) -> list[str]:
    """Those of them from which chance may choose when nobody names any, the quick ones several times."""
    return [name for name in known(setup) if name not in _NOT_BY_CHANCE for _ in range(_OFTEN.get(name, 1))]


class Nemesis:
    """Strikes with faults of these names."""

    def __init__(self, stage: Stage, names: Sequence[str], chance: random.Random) -> None:
        self._stage = stage
        self._names = names
        self._chance = chance
        self.done: dict[str, int] = {}

    def strike(self, name: str | None = None) -> None:
        """One fault from its beginning to its end, of this name or of any; the dead are started again."""
        chosen = self._chance.choice(FAULTS[name or self._chance.choice(self._names)])
        fault = chosen(self._stage, self._chance)
        words = fault.strike()
        self._stage.history.note("fault", fault=words)
        time.sleep(self._chance.uniform(*fault.lasts))
        fault.mend()
        self._stage.mend()
        self._stage.hasten()
        self._stage.history.note("mended", fault=words)
        self.done[chosen.__name__] = self.done.get(chosen.__name__, 0) + 1
