"""Pace: how long until what waits at a destination is sent, judged by what its last requests took."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core.queries.destinations import DestinationRow
from webapp.models import Attempt, AttemptOutcome


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
    last = (
        select(Attempt.events, Attempt.milliseconds)
        .where(Attempt.destination_id == row.id, Attempt.outcome == AttemptOutcome.DELIVERED)
        .order_by(Attempt.id.desc())
        .limit(1)
    )
    found = session.execute(last).one_or_none()
    if found is None or not found.events:
        return None
    seconds_each: float = max(found.milliseconds, 1) / 1000 / found.events
    return row.lag * seconds_each
