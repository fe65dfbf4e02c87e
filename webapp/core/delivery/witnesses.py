"""Witnesses: what shows that an event is at fault, and neither its destination nor the vendor."""

from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from webapp.core.delivery.holding import Holder
from webapp.core.delivery.policy import Verdict
from webapp.core.delivery.sending import Answer
from webapp.core.streams import attempts
from webapp.core.streams.leases import Lease
from webapp.lib import clock
from webapp.models import AttemptOutcome, Destination
from webapp.providers.receiving import OutgoingEvent

#: An event whose size was measured here needs no other witness.
OURSELVES = "Measured here: no request was made."
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


def beside(verdict: Verdict, holder: Holder) -> str:
    """What was taken with a refused event, or before it."""
    if verdict.taken:
        return f"Others in the same request were taken: {verdict.taken:,}."
    last = None if holder.tally.delivered else holder.lease.last_delivered_at
    when = "just before" if last is None else f"last on {last:%d %B %Y, %H:%M:%S} UTC"
    return f"With the same settings and key others were taken, {when}."


def behind(taken: OutgoingEvent) -> str:
    """What was taken after refused events."""
    return f"No. {taken.seq:,} ({taken.type}), sent right after it, was taken."


def elsewhere(since: datetime) -> str:
    """What shows that the vendor works, while one event fails it again and again."""
    return (
        f"It alone failed since {since:%d %B %Y, %H:%M:%S} UTC, while other destinations of this kind "
        "had theirs taken."
    )
