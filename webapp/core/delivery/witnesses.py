"""Witnesses: what shows that an event is at fault, and neither its destination nor the vendor."""

from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from webapp.core.delivery.sending import Answer
from webapp.core.streams import attempts
from webapp.core.streams.leases import Lease
from webapp.lib import clock
from webapp.models import AttemptOutcome, Destination

_LONE_TRIES, _LONE_SPAN = 8, timedelta(hours=1)


def failed_alone_since(session: Session, lease: Lease, answer: Answer) -> datetime | None:
    """When an event began to fail alone, if `answer` is its eighth failure or later, an hour after."""
    found = attempts.latest(session, lease.destination_id)
    if found is None:
        return None
    run = found[1]
    same = run.lone and run.first_seq == answer.events[0].seq and run.outcome is AttemptOutcome.RETRY
    often = run.requests + 1 >= _LONE_TRIES and clock.now() - run.started_at >= _LONE_SPAN
    return run.started_at if same and often else None


def others_succeed(session: Session, lease: Lease, since: datetime) -> bool:
    """Whether another destination of this kind, so of this endpoint, took events since then."""
    other = exists().where(
        Destination.kind == lease.kind,
        Destination.id != lease.destination_id,
        Destination.last_delivered_at > since,
    )
    return session.execute(select(other)).scalar_one()
