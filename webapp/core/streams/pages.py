"""Reading a stream on: the next events behind a cursor, bounded in rows and bytes, and never with a gap."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.core.streams.freshness import Freshness
from webapp.errors import HitchpostError
from webapp.lib.database import db_time
from webapp.models import Event, Stream
from webapp.providers.receiving import OutgoingEvent

#: a page is never more than this
MOST_ROWS, MOST_BYTES = 5_000, 6_000_000


class Gap(HitchpostError):
    """Events are missing in a stream: a seq below its head was not found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a reader takes at once: all events up to `last_seq`, and of them those that are `wanted`."""

    last_seq: int
    #: of the stream, when it was read
    head_seq: int
    #: as they are to be sent
    wanted: Sequence[OutgoingEvent]
    #: the same ones as they are stored
    stored: Sequence[OutgoingEvent]
    #: those of them that cannot be sent: index → reason
    faults: Mapping[int, str] = field(default_factory=dict)
    age: "Age | None" = None

    @property
    def late(self) -> Sequence[int]:
        """The seqs of what was wanted and came too late, when it was read."""
        return self.age.late if self.age else ()

    def reach(self, index: int) -> int:
        """How far the cursor may go when the first `index` wanted events are done with."""
        return self.wanted[index].seq - 1 if index < len(self.wanted) else self.last_seq

    def sendable(self, at: int, end: int | None = None) -> Sequence[OutgoingEvent]:
        """The wanted ones from `at` on, up to the first that cannot be sent or is too late by now."""
        stop = len(self.wanted) if end is None else min(end, len(self.wanted))
        if self.faults or self.age:
            stop = next((index for index in range(at, stop) if self._is_stopped(index)), stop)
        return self.wanted[at:stop]

    def _is_stopped(self, index: int) -> bool:
        return index in self.faults or (self.age is not None and self.age.is_over(self.wanted[index].seq))


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How old the events of a page are, where their destination has a limit for it."""

    freshness: Freshness
    #: by seq: when it was accepted
    accepted: Mapping[int, datetime]
    #: the seqs of those that came too late
    late: Sequence[int]
    #: the database's clock when the page was read, and this process's
    read_at: datetime
    read: float

    def is_over(self, seq: int) -> bool:
        """Whether that event is too late by now."""
        now = self.read_at + timedelta(seconds=time.monotonic() - self.read)
        return self.freshness.is_over(seq, self.accepted[seq], now)


def read_page(
    session: Session,
    stream_id: UUID,
    cursor_seq: int,
    *,
    rows: int,
    wants: Callable[[str], bool] | None,
    freshness: Freshness | None = None,
    most_bytes: int = MOST_BYTES,
) -> Page:
    """The events behind `cursor_seq`; `wants` tells by type (None: all). Raises Gap.

    Sizes and types are read first and bodies only of what is wanted and in time, so that neither large events
    nor a filter that lets little through make a reader take more than it can use.
    """
    head = session.execute(select(Stream.head_seq).where(Stream.id == stream_id)).scalar_one()
    query = (
        select(Event.seq, Event.type, func.length(Event.body))
        .where(Event.stream_id == stream_id, Event.seq > cursor_seq)
        .order_by(Event.seq)
        .limit(min(rows, MOST_ROWS))
    )
    found = session.connection().execute(query).all()
    _refuse_gap(cursor_seq, head, [seq for seq, _, _ in found], min(rows, MOST_ROWS))
    last = found[-1][0] if found else cursor_seq
    wanted = [(seq, length) for seq, type_, length in found if wants is None or wants(type_)]
    age = _age(session, stream_id, freshness, [seq for seq, _ in wanted]) if freshness else None
    late = frozenset(age.late) if age else frozenset()
    chosen: list[int] = []
    size = 0
    for seq, length in wanted:
        if seq in late:
            continue
        size += length
        if chosen and size > most_bytes:
            last = seq - 1
            break
        chosen.append(seq)
    events = events_of(session, stream_id, chosen)
    return Page(last_seq=last, head_seq=head, wanted=events, stored=events, age=age)


def _age(session: Session, stream_id: UUID, freshness: Freshness, seqs: Sequence[int]) -> Age:
    read_at, read = session.execute(select(db_time())).scalar_one(), time.monotonic()
    times = select(Event.seq, Event.accepted_at).where(
        Event.stream_id == stream_id, Event.seq.between(min(seqs, default=0), max(seqs, default=-1))
    )
    accepted = dict(session.execute(times).all())
    late = [seq for seq in seqs if freshness.is_over(seq, accepted[seq], read_at)]
    return Age(freshness=freshness, accepted=accepted, late=late, read_at=read_at, read=read)


def _refuse_gap(cursor_seq: int, head_seq: int, seqs: Sequence[int], rows: int) -> None:
    # The head was read before the events, so whatever it counts must be there.
    expected = min(head_seq - cursor_seq, rows)
    if len(seqs) < expected or (seqs and seqs[-1] - cursor_seq != len(seqs)):
        message = f"events behind seq {cursor_seq} are missing: {len(seqs)} found, the head is {head_seq}"
        raise Gap(message)


def events_of(session: Session, stream_id: UUID, seqs: Sequence[int]) -> Sequence[OutgoingEvent]:
    """The events of these seqs, which rise, with their bodies."""
    if not seqs:
        return ()
    query = (
        select(Event.seq, Event.type, Event.source, Event.subject, Event.state, Event.time, Event.body)
        .where(Event.stream_id == stream_id, Event.seq.between(seqs[0], seqs[-1]))
        .order_by(Event.seq)
    )
    if seqs[-1] - seqs[0] + 1 != len(seqs):
        query = query.where(Event.seq.in_(seqs))
    return [OutgoingEvent(*row) for row in session.connection().execute(query)]
