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
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.core.events import backlogs, starts
from webapp.core.events.drafts import Draft
from webapp.core.events.statements import NewEvent, find_known, write_events
from webapp.core.streams import rows
from webapp.errors import Fault, HitchpostError, IdentityConflict, NotFound
from webapp.lib.database import Database

#: events in one shared transaction
MOST_EVENTS = 2_000
#: After a group had a repeat, the next are looked at for so long.
_LOOKED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """The drafts of one request, and the stream of each."""

    drafts: Sequence[Draft]
    streams: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Stored:
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
    with database.write() as session:
        stream_ids = {stream for batch in batches for stream in batch.streams}
        heads = rows.lock(session, stream_ids, briefly=True)
        if len(heads) < len(stream_ids):
            message = "The user of these events was removed meanwhile."
            raise NotFound(message)
        keys = [
            (stream, draft.key_hash)
            for batch in batches
            for draft, stream in zip(batch.drafts, batch.streams, strict=True)
        ]
        known = find_known(session, keys) if look else {}
        writer = _Writer(heads, known, starts.Starts(session, heads))
        placed = [writer.place(batch) for batch in batches]
        crowded = backlogs.admit(session, most, heads, writer.reached()) if most else {}
        woken = writer.write(session)
    return [
        Stored(places, duplicates, woken, max((crowded.get(one, 0.0) for one in batch.streams), default=0.0))
        for batch, (places, duplicates) in zip(batches, placed, strict=True)
    ]


class _Writer:
    """Gives each new event its seq and gathers the rows."""

    def __init__(
        self,
        heads: Mapping[UUID, rows.Head],
        known: dict[tuple[UUID, bytes], tuple[int, bytes]],
        seen: starts.Starts,
    ) -> None:
        self._next = {stream: head.seq + 1 for stream, head in heads.items()}
        self._heads = heads
        self._known = known
        self._starts = seen
        self._accepted = {stream: _accepted_at(head) for stream, head in heads.items()}
        self._bytes = {stream: head.bytes_in for stream, head in heads.items()}
        self._events: list[NewEvent] = []

    def place(self, batch: Batch) -> tuple[list[tuple[UUID, int]], int]:
        """The (stream, seq) of each draft of a request, and how many were known. Raises IdentityConflict."""
        places, faults, duplicates = [], [], 0
        for draft, stream in zip(batch.drafts, batch.streams, strict=True):
            found = self._known.get((stream, draft.key_hash))
            if found is None:
                found = self._add(draft, stream)
            elif found[1] == draft.digest:
                duplicates += 1
            else:
                first = public_id(stream, found[0])
                what = f"differs from event {first}, which has the same user, source and id"
                faults.append(Fault(draft.where, what))
            places.append((stream, found[0]))
        if faults:
            raise IdentityConflict(faults)
        return places, duplicates

    def _add(self, draft: Draft, stream: UUID) -> tuple[int, bytes]:
        seq = self._next[stream]
        self._next[stream] = seq + 1
        found = self._known[stream, draft.key_hash] = (seq, draft.digest)
        body = self._starts.body_of(draft, stream)
        self._bytes[stream] += len(body)
        self._events.append(
            NewEvent(
                stream,
                seq,
                draft.key_hash,
                draft.digest,
                draft.type,
                draft.source,
                draft.subject,
                draft.state,
                draft.time,
                self._accepted[stream],
                body,
                self._bytes[stream],
            )
        )
        return found

    def reached(self) -> dict[UUID, backlogs.Load]:
        """How far each stream is that takes something."""
        return {
            stream: backlogs.Load(self._next[stream] - 1, self._bytes[stream])
            for stream, head in self._heads.items()
            if self._next[stream] > head.seq + 1
        }

    def write(self, session: Session) -> bool:
        """Write everything; True when a destination became due."""
        return bool(self._events) and write_events(session, self._events)


def _accepted_at(head: rows.Head) -> datetime:
    # A clock that was set back must not make a later event look older: rewinding searches by this time.
    return head.now if head.last_accepted_at is None else max(head.now, head.last_accepted_at)


def public_id(stream_id: UUID, seq: int) -> str:
    """How an event is named outside."""
    return f"{stream_id.hex}-{seq}"
