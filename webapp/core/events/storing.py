"""Storing events: one transaction for a group of requests, its locks in one order.

First the streams are locked, in the order of their ids; only then is looked for repeats, in a statement of
its own (the snapshot of an earlier one predates the wait for the lock). A seq is given under the lock, so
that no reader ever sees a later one without all before it. Destinations come last.

Repeats are rare, and the unique key finds them too. So a group is first written without a look, and looked at
when that fails.
"""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from webapp.core.events import backlogs, starts
from webapp.core.events.drafts import Draft
from webapp.core.events.statements import Growth, NewEvent, find_known, write_events
from webapp.core.streams import rows
from webapp.errors import Fault, HitchpostError, IdentityConflict, NotFound
from webapp.lib.database import Database

#: events in one shared transaction
MOST_EVENTS = 2_000
#: After a group had a repeat, the next are looked at for so long.
_LOOKED_SECONDS = 1.0


class Batch(NamedTuple):
    """The drafts of one request, and the stream of each."""

    drafts: Sequence[Draft]
    streams: Sequence[UUID]


class Stored(NamedTuple):
    """What became of a request: each draft's place, how many were known, whether a reader is to wake."""

    places: Sequence[tuple[UUID, int]]
    duplicates: int
    woken: bool
    #: how full the fullest backlog of its users is, if it nears the cap: 1.0 is all of it
    crowded: float = 0.0


class Storing:
    """Stores groups of one database, each all or nothing. Safe to share between threads."""

    def __init__(self, database: Database, most: backlogs.Load) -> None:
        """`most` is what the backlog of a user may come to."""
        self._database, self._most = database, most
        self._looks_until = -math.inf

    def __call__(self, batches: Sequence[Batch]) -> list[Stored]:
        """As `store`. Who sends something again sends more of it: for a second, repeats are looked for."""
        if time.monotonic() >= self._looks_until:
            # A repeat may be what failed, even where it is a limit that says so.
            with suppress(IntegrityError, HitchpostError):
                return store(self._database, batches, most=self._most, look=False)
            self._looks_until = time.monotonic() + _LOOKED_SECONDS
        return store(self._database, batches, most=self._most)


def store(
    database: Database,
    batches: Sequence[Batch],
    *,
    most: backlogs.Load | None = None,
    look: bool = True,
) -> list[Stored]:
    """Store the events of several requests, or none of them. Raises IdentityConflict, NotFound, BacklogFull.

    `most` is what the backlog of a user may come to; None: whatever comes. Without a `look` for repeats, one
    raises IntegrityError.
    """
    with database.transact() as connection:
        stream_ids = {stream for batch in batches for stream in batch.streams}
        heads = rows.lock(connection, stream_ids, briefly=True)
        if len(heads) < len(stream_ids):
            message = "The user of these events was removed meanwhile."
            raise NotFound(message)
        writer = _Writer(heads, starts.Starts(connection, heads))
        if look:
            writer.recall(find_known(connection, _identities(batches)))
        placed = [writer.place(batch) for batch in batches]
        crowded = backlogs.admit(connection, most, heads, writer.reached()) if most else {}
        woken = writer.write(connection)
    return [
        Stored(places, duplicates, woken, _fullest(batch, crowded))
        for batch, (places, duplicates) in zip(batches, placed, strict=True)
    ]


def _identities(batches: Sequence[Batch]) -> list[tuple[UUID, bytes]]:
    return [
        (stream, draft.key_hash)
        for batch in batches
        for draft, stream in zip(batch.drafts, batch.streams, strict=True)
    ]


def _fullest(batch: Batch, crowded: Mapping[UUID, float]) -> float:
    return max((crowded.get(one, 0.0) for one in set(batch.streams)), default=0.0) if crowded else 0.0


@dataclass(slots=True)
class _End:
    """The end of a stream while it grows."""

    accepted_at: datetime
    seq: int
    bytes_in: int
    idle: bool
    events: list[NewEvent] = field(default_factory=list)
    #: seq and digest of what is stored, by key hash
    known: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)

    def add(self, draft: Draft, body: bytes) -> None:
        """Give the draft its seq."""
        self.seq += 1
        self.bytes_in += len(body)
        self.known[draft.key_hash] = (self.seq, draft.digest)
        self.events.append(
            NewEvent(
                self.seq,
                draft.key_hash,
                draft.digest,
                draft.type,
                draft.source,
                draft.subject,
                draft.state,
                draft.time,
                body,
                self.bytes_in,
            )
        )


class _Writer:
    """Gives each new event its seq and gathers the rows, stream by stream."""

    def __init__(self, heads: Mapping[UUID, rows.Head], seen: starts.Starts) -> None:
        self._ends = {
            stream: _End(_accepted_at(head), head.seq, head.bytes_in, head.idle)
            for stream, head in heads.items()
        }
        self._starts = seen

    def recall(self, known: Mapping[tuple[UUID, bytes], tuple[int, bytes]]) -> None:
        """Learn which (stream, key hash) are stored: with the seq and digest of each."""
        for (stream, key_hash), found in known.items():
            self._ends[stream].known[key_hash] = found

    def place(self, batch: Batch) -> tuple[list[tuple[UUID, int]], int]:
        """The (stream, seq) of each draft of a request, and how many were known. Raises IdentityConflict."""
        places, faults, duplicates = [], [], 0
        for draft, stream in zip(batch.drafts, batch.streams, strict=True):
            end = self._ends[stream]
            found = end.known.get(draft.key_hash)
            if found is None:
                end.add(draft, self._starts.body_of(draft, stream))
                places.append((stream, end.seq))
                continue
            places.append((stream, found[0]))
            duplicates += 1
            if found[1] != draft.digest:
                first = public_id(stream, found[0])
                what = f"differs from event {first}, which has the same user, source and id"
                faults.append(Fault(draft.where, what))
        if faults:
            raise IdentityConflict(faults)
        return places, duplicates

    def reached(self) -> dict[UUID, backlogs.Load]:
        """How far each stream is that takes something."""
        return {
            stream: backlogs.Load(end.seq, end.bytes_in) for stream, end in self._ends.items() if end.events
        }

    def write(self, connection: Connection) -> bool:
        """Write everything; True when a destination became due."""
        grown = [
            Growth(stream, end.accepted_at, end.events, end.idle)
            for stream, end in self._ends.items()
            if end.events
        ]
        return bool(grown) and write_events(connection, grown)


def _accepted_at(head: rows.Head) -> datetime:
    # A clock that was set back must not make a later event look older: rewinding searches by this time.
    return head.now if head.last_accepted_at is None else max(head.now, head.last_accepted_at)


def public_id(stream_id: UUID, seq: int) -> str:
    """How an event is named outside."""
    return f"{stream_id.hex}-{seq}"
