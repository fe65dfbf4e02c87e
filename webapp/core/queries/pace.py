"""Pace: how long until what waits at destinations is sent, judged by what their last requests took."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, case, func, select
from sqlalchemy.orm import Session

from webapp.core.queries.destinations import DestinationRow
from webapp.models import Attempt, AttemptOutcome, Destination, Stream

#: Of each kind, so many destinations are looked at: those for which most waits.
_LOOKED_AT = 20


def drained_in(session: Session, row: DestinationRow) -> float | None:
    """Seconds until nothing waits, at the pace of its last good requests; 0.0 when nothing does.

    Requests go out one after another, so a backlog takes what the vendor takes for each. None where nobody
    can tell: it stands still, is failing, or has delivered nothing yet.
    """
    if not row.lag:
        return 0.0
    # Whoever waits for a silent host has failed nothing itself.
    if row.hold is not None or row.failing_since is not None or row.closed_at is not None:
        return None
    seconds_each = session.scalar(select(_seconds_each(row.id)))
    return None if seconds_each is None else row.lag * float(seconds_each)


def longest_drains(session: Session) -> Mapping[str, float]:
    """Of each kind the longest `drained_in` of those for which most waits; one statement.

    A kind for which nothing waits, or of which nobody can tell, has none.
    """
    lag = Stream.head_seq - Destination.cursor_seq
    place = func.row_number().over(partition_by=Destination.kind, order_by=lag.desc())
    waiting = (
        select(Destination.id, Destination.kind, lag.label("lag"), place.label("place"))
        .join(Stream, Stream.id == Destination.stream_id)
        .where(
            lag > 0,
            Destination.hold.is_(None),
            Destination.failing_since.is_(None),
            Destination.closed_at.is_(None),
        )
        .subquery()
    )
    most = select(waiting).where(waiting.c.place <= _LOOKED_AT).subquery()
    seconds = func.max(most.c.lag * _seconds_each(most.c.id))
    found = session.execute(select(most.c.kind, seconds).group_by(most.c.kind))
    return {kind: float(longest) for kind, longest in found if longest is not None}


def _seconds_each(destination_id: UUID | ColumnElement[UUID]) -> ScalarSelect[Any]:
    """What its last good requests took for each event."""
    took = case((Attempt.milliseconds < 1, 1), else_=Attempt.milliseconds)
    return (
        select(took / 1000.0 / Attempt.events)
        .where(
            Attempt.destination_id == destination_id,
            Attempt.outcome == AttemptOutcome.DELIVERED,
            Attempt.events > 0,
        )
        .order_by(Attempt.id.desc())
        .limit(1)
        .scalar_subquery()
    )
