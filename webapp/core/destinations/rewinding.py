"""Rewinding: sending a part of the stream again, or from its beginning on, by moving the cursor back."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webapp.core.audit import Act, Actor
from webapp.core.destinations import rows
from webapp.core.streams.rows import Head
from webapp.core.streams.searching import first_since
from webapp.errors import Conflict, Fault, Invalid
from webapp.lib.database import db_time
from webapp.models import DeadLetter, DeadLetterState, Destination


def rewind(
    session: Session,
    actor: Actor,
    destination_id: UUID,
    *,
    to_seq: int | None = None,
    to_time: datetime | None = None,
) -> int:
    """Send again from the event `to_seq`, or from the first one accepted at `to_time` or later; how many.

    A request under way is disowned, and its events come again. Open dead letters of the range are
    superseded. Ring delivery afterwards. Raises NotFound, Conflict, Invalid when those events are no longer
    kept or not yet sent.
    """
    destination, stream, _ = rows.lock(session, destination_id)
    first = _first(session, destination, stream, to_seq, to_time)
    again = destination.cursor_seq - (first - 1)
    _supersede(session, destination, first)
    destination.exempt_seq = max(destination.exempt_seq, destination.cursor_seq)
    destination.rewound += again
    destination.cursor_seq = first - 1
    _go_on(destination, stream)
    detail = f"{destination.kind} sends {again:,} events again, from seq {first:,}"
    rows.record(session, actor, Act.DESTINATION_REWOUND, destination, detail)
    return again


def backfill(session: Session, actor: Actor, destination_id: UUID) -> int:
    """Let one that has settled nothing yet begin with the first event that is kept; how many more it sends.

    As if it had been made so: nothing is sent twice, and none of it comes too late. Ring delivery afterwards.
    Raises NotFound, Conflict when it has settled something.
    """
    destination, stream, _ = rows.lock(session, destination_id)
    if destination.delivered or destination.filtered or destination.dead or destination.expired:
        raise Conflict(
            f"This destination has settled events already. Rewind it to seq {stream.tail_seq}, the first "
            "that is kept: those are then sent again too."
        )
    more = destination.cursor_seq - (stream.tail_seq - 1)
    if more <= 0:
        return 0
    destination.exempt_seq = max(destination.exempt_seq, destination.cursor_seq)
    destination.cursor_seq -= more
    destination.origin_seq -= more
    _go_on(destination, stream)
    detail = f"{destination.kind} begins with {more:,} events that are kept"
    rows.record(session, actor, Act.DESTINATION_REWOUND, destination, detail)
    return more


@dataclass(frozen=True, slots=True)
class Range:
    """What a rewind would send again."""

    first_seq: int
    events: int


def measure_rewind(
    session: Session,
    destination_id: UUID,
    *,
    to_seq: int | None = None,
    to_time: datetime | None = None,
) -> Range:
    """What `rewind` with the same would send again; nothing changes. Raises what it raises."""
    destination, stream, _ = rows.lock(session, destination_id)
    first = _first(session, destination, stream, to_seq, to_time)
    return Range(first, destination.cursor_seq - (first - 1))


def _first(
    session: Session, destination: Destination, stream: Head, to_seq: int | None, to_time: datetime | None
) -> int:
    if (to_seq is None) == (to_time is None):
        raise Invalid([Fault("to_seq", "give either a seq or a time")])
    name = "to_seq" if to_time is None else "to_time"
    first = to_seq if to_time is None else first_since(session, destination.stream_id, stream, to_time)
    if first is None or first > destination.cursor_seq:
        raise Invalid(
            [Fault(name, "nothing of that time has been sent yet: it still waits, or there is nothing")]
        )
    if first < stream.tail_seq:
        raise Invalid([Fault(name, f"is no longer kept: the first event that is has seq {stream.tail_seq}")])
    return first


def _go_on(destination: Destination, stream: Head) -> None:
    """From where the cursor was put, whatever its holder had under way."""
    # What is sent again on purpose is not to be found and passed over.
    destination.unsure = False
    destination.lease_token = None
    if destination.hold is None:
        destination.due_at = stream.now


def _supersede(session: Session, destination: Destination, first: int) -> None:
    session.execute(
        update(DeadLetter)
        .where(
            DeadLetter.destination_id == destination.id,
            DeadLetter.seq.between(first, destination.cursor_seq),
            DeadLetter.state.in_((DeadLetterState.OPEN, DeadLetterState.QUEUED)),
        )
        .values(state=DeadLetterState.SUPERSEDED, changed_at=db_time())
        .execution_options(synchronize_session=False)
    )
    queued = select(func.count()).where(
        DeadLetter.destination_id == destination.id, DeadLetter.state == DeadLetterState.QUEUED
    )
    destination.queued = session.execute(queued).scalar_one()
