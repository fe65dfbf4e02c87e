"""Faults of our own processes: killed, ended in order, frozen past their lease."""

import random
import time
from functools import partial
from typing import ClassVar

from tests import servers
from tests.faults.stage import Stage
from tests.waiting import wait_for
from webapp.core.streams.leases import LEASE_SECONDS

#: A one-event vendor is settled every quarter of a second, a turn lasts about one.
_SIGN_OF_LIFE_SECONDS = 2.0


class Kill:
    """kill -9 of web, worker, beat, or all at once as by a power cut."""

    lasts: ClassVar[tuple[float, float]] = (0.0, 0.3)

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._instance = stage.instance
        self._part = chance.choice(stage.instance.parts)

    def strike(self) -> str:
        self._instance.kill(self._part)
        return f"kill -9 of {self._part}"

    def mend(self) -> None:
        """The stage starts it again."""


class End(Kill):
    """SIGTERM, and what is under way is finished."""

    def strike(self) -> str:
        self._instance.end(self._part)
        return f"SIGTERM of {self._part}"


class Roll:
    """A rolling restart, host by host: its programs end in order, and are back before the next ones go."""

    lasts: ClassVar[tuple[float, float]] = (0.0, 0.5)

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._instance = stage.instance

    def strike(self) -> str:
        for number, door in enumerate(self._instance.doors):
            host = [one for name, one in self._instance.programs.items() if servers.number_of(name) == number]
            servers.stop_together(host, within=servers.GRACE_SECONDS)
            for program in host:
                program.start()
            wait_for(partial(servers.answers, door), seconds=60, pause=0.05)
        return "a rolling restart"

    def mend(self) -> None:
        """All are back."""


class Freeze:
    """SIGSTOP of a whole program until its leases have run out and been taken over; then SIGCONT."""

    lasts: ClassVar[tuple[float, float]] = (LEASE_SECONDS + 1, LEASE_SECONDS + 4)

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        names = [name for name in stage.instance.programs if not name.startswith(("web", "beat"))]
        self._name = chance.choice(names)
        self._program = stage.instance.programs[self._name]
        self._stage = stage

    def strike(self) -> str:
        self._program.pause()
        return f"SIGSTOP of {self._name} past its lease"

    def mend(self) -> None:
        self._program.resume()


class FreezeBriefly(Freeze):
    """The same, and the database is told that its leases have run out, so that nobody waits for it."""

    lasts: ClassVar[tuple[float, float]] = (2.0, 2.5)

    def strike(self) -> str:
        words = super().strike()
        before = self._stage.leases()
        # Nobody here says which leases are the frozen program's: whoever lives settles, or takes another.
        time.sleep(_SIGN_OF_LIFE_SECONDS)
        after = self._stage.leases()
        alive = {lease.owner for lease in before ^ after}
        self._stage.expire([lease for lease in before & after if lease.owner not in alive])
        return words
