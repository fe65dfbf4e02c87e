"""Faults of the machine: a full disk, a clock that jumps."""

import errno
import os
import random
import resource
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from tests.faults.stage import Stage
from tests.servers import children_of

_DAY = 24 * 3600.0
_PIECE = b"\0" * 65_536


class FullDisk:
    """No room where the database and our logs lie, until somebody makes some.

    On a small disk of its own that is filled. Where nothing may be mounted, by a limit on the size of files
    (RLIMIT_FSIZE), under which nothing can be written either.
    """

    lasts: ClassVar[tuple[float, float]] = (1.0, 3.0)

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._stage = stage
        self._ballast = stage.disk / "ballast" if stage.disk else None

    def strike(self) -> str:
        if self._ballast is not None:
            _fill(self._ballast)
            return "a full disk"
        self._limit(1)
        return "a full disk, by RLIMIT_FSIZE"

    def mend(self) -> None:
        if self._ballast is not None:
            self._ballast.unlink(missing_ok=True)
        else:
            self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        roots = [one.pid for one in self._stage.instance.programs.values() if not one.ended()]
        if self._stage.cluster is not None and not self._stage.cluster.ended:
            roots.append(self._stage.cluster.pid)
        for pid in roots:
            for each in (pid, *children_of(pid)):
                with suppress(ProcessLookupError):
                    resource.prlimit(each, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        piece = _PIECE
        while piece:
            try:
                file.write(piece)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                piece = piece[: len(piece) // 16]
        os.fsync(file.fileno())


class Jump:
    """Clocks that leap by a day and an hour, or by less than a lease, and back."""

    lasts: ClassVar[tuple[float, float]] = (2.0, 4.0)

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._clocks = stage.clocks
        self._names = chance.choice([[name] for name in sorted(stage.clocks)] + [sorted(stage.clocks)])
        self._seconds = chance.choice((_DAY + 3600, -_DAY - 3600, 20.0, -20.0))

    def strike(self) -> str:
        for name in self._names:
            self._clocks[name].set(self._seconds)
        return f"clock of {' and '.join(self._names)} by {self._seconds:+g} s"

    def mend(self) -> None:
        for name in self._names:
            self._clocks[name].set(0)
