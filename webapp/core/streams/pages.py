"""Reading a stream on: the next events behind a cursor, bounded in rows and bytes, and never with a gap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.errors import HitchpostError
from webapp.models import Event, Stream
from webapp.providers.base import OutgoingEvent

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
    wanted: Sequence[OutgoingEvent]


def read_page(
    session: Session,
    stream_id: UUID,
    cursor_seq: int,
    *,
    rows: int,
    wants: Callable[[str], bool] | None,
    most_bytes: int = MOST_BYTES,
) -> Page:
    """The events behind `cursor_seq`; `wants` tells by type (None: all). Raises Gap.

    Sizes and types are read first and bodies only of what is wanted, so that neither large events nor a
    filter that lets little through make a reader take more than it can use.
    """
    head = session.execute(select(Stream.head_seq).where(Stream.id == stream_id)).scalar_one()
    query = (
        select(Event.seq, Event.type, func.length(Event.body))
        .where(Event.stream_id == stream_id, Event.seq > cursor_seq)
        .order_by(Event.seq)
        .limit(min(rows, MOST_ROWS))
    )
    found = session.execute(query).all()
    _refuse_gap(cursor_seq, head, [seq for seq, _, _ in found], min(rows, MOST_ROWS))
    chosen: list[int] = []
    size = 0
    for seq, type_, length in found:
        if wants is not None and not wants(type_):
            continue
        size += length
        if chosen and size > most_bytes:
            return Page(last_seq=seq - 1, head_seq=head, wanted=_bodies(session, stream_id, chosen))
        chosen.append(seq)
    last = found[-1][0] if found else cursor_seq
    return Page(last_seq=last, head_seq=head, wanted=_bodies(session, stream_id, chosen))


def _refuse_gap(cursor_seq: int, head_seq: int, seqs: Sequence[int], rows: int) -> None:
    # The head was read before the events, so whatever it counts must be there.
    expected = min(head_seq - cursor_seq, rows)
    if len(seqs) < expected or (seqs and seqs[-1] - cursor_seq != len(seqs)):
        message = f"events behind seq {cursor_seq} are missing: {len(seqs)} found, the head is {head_seq}"
        raise Gap(message)


def _bodies(session: Session, stream_id: UUID, seqs: Sequence[int]) -> Sequence[OutgoingEvent]:
    if not seqs:
        return ()
    query = (
        select(Event.seq, Event.type, Event.source, Event.subject, Event.state, Event.time, Event.body)
        .where(Event.stream_id == stream_id, Event.seq.between(seqs[0], seqs[-1]))
        .order_by(Event.seq)
    )
    if seqs[-1] - seqs[0] + 1 != len(seqs):
        query = query.where(Event.seq.in_(seqs))
    return [
        OutgoingEvent(
            seq=row.seq,
            type=row.type,
            source=row.source,
            subject=row.subject,
            state=row.state,
            time=row.time,
            body=row.body,
        )
        for row in session.execute(query)
    ]
