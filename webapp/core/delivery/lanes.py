"""Lanes: for whose turn a process has room, so that whoever keeps it waiting takes nothing from the others.

Its places are for brisk destinations. Of these a vendor's host has at most half at a time, and one user's
stream a quarter: whoever comes behind a flood finds a place free. Destinations whose answers take long, and
probes of hosts that are down, have places of their own beside these, half as many each. A turn that lasts
longer than a turn should has met a vendor that keeps silent: it moves over to the slow, if there is room.
"""

import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, not_, or_

from webapp.core.streams.leases import Lease
from webapp.models import Destination

Key = TypeVar("Key")

#: a turn of a second ends with the call that is under way then: one that takes longer waits for its vendor
_LONG_SECONDS = 1.5

#: Held from the look for room until the turn is noted: two at once would both find room for one more.
guard = threading.Lock()


class Lane(Enum):
    """By what a turn's place is counted."""

    BRISK = auto()
    SLOW = auto()
    PROBE = auto()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Taken:
    """A turn under way."""

    process_id: UUID
    lane: Lane
    #: or the vendor, while its host is not known yet
    host: str
    stream_id: UUID
    began: float = field(default_factory=time.monotonic)

    @property
    def is_long(self) -> bool:
        """Whether it waits for a vendor that nobody knew to be slow."""
        return self.lane is Lane.BRISK and time.monotonic() - self.began > _LONG_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Who may have a turn now."""

    brisk: bool = True
    slow: bool = True
    probes: bool = True
    full_hosts: Collection[str] = ()
    full_streams: Collection[UUID] = ()

    def among(self) -> list[ColumnElement[bool]]:
        """Destinations that fulfil all of these."""
        if not (self.brisk or self.slow):
            return [false()]
        if not self.brisk:
            return [Destination.slow.is_(True)]
        mine = [*self._hosts(), *self._streams()]
        if self.slow:
            return [or_(Destination.slow.is_(True), and_(*mine))] if mine else []
        return [Destination.slow.is_(False), *mine]

    def _hosts(self) -> list[ColumnElement[bool]]:
        if not self.full_hosts:
            return []
        of_full = (Destination.kind.startswith(f"{one}.", autoescape=True) for one in self.full_hosts)
        unknown = and_(Destination.host.is_(None), not_(or_(*of_full)))
        return [or_(Destination.host.not_in(self.full_hosts), unknown)]

    def _streams(self) -> list[ColumnElement[bool]]:
        return [Destination.stream_id.not_in(self.full_streams)] if self.full_streams else []


_under_way: set[Taken] = set()


def room(process_id: UUID, places: int | None) -> Room:
    """For whom that process has room, of so many places for brisk destinations; None: for everybody."""
    if places is None:
        return Room()
    turns = [turn for turn in _under_way if turn.process_id == process_id]
    brisk = [turn for turn in turns if turn.lane is Lane.BRISK]
    long = sum(turn.is_long for turn in brisk)
    lanes = Counter(turn.lane for turn in turns)
    beside = max(1, places // 2)
    moved = min(long, max(0, beside - lanes[Lane.SLOW]))
    return Room(
        brisk=len(brisk) - moved < places,
        slow=lanes[Lane.SLOW] + moved < beside,
        probes=lanes[Lane.PROBE] < beside,
        full_hosts=_full(Counter(turn.host for turn in brisk), places // 2),
        full_streams=_full(Counter(turn.stream_id for turn in brisk if not turn.is_long), places // 4),
    )


def enter(process_id: UUID, lease: Lease, *, probes: bool) -> Taken:
    """Note that a turn begins."""
    lane = Lane.PROBE if probes else Lane.SLOW if lease.slow else Lane.BRISK
    host = lease.host or lease.kind.partition(".")[0]
    turn = Taken(process_id=process_id, lane=lane, host=host, stream_id=lease.stream_id)
    _under_way.add(turn)
    return turn


def leave(turn: Taken) -> None:
    """Note that it is over."""
    with guard:
        _under_way.discard(turn)


def _full(taken: Mapping[Key, int], most: int) -> list[Key]:
    return [one for one, number in taken.items() if number >= max(1, most)]
