"""Places: where an event is, destination by destination."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from webapp.core.queries.events import EventRow
from webapp.core.queries.paging import AnyRow
from webapp.core.streams.conditions import read_conditions
from webapp.core.streams.filters import wanted
from webapp.core.streams.paths import parse_envelope
from webapp.models import (
    Account,
    Attempt,
    AttemptOutcome,
    Connection,
    DeadLetter,
    DeadLetterState,
    Destination,
    Environment,
)
from webapp.providers.registry import kind_named


class Standing(StrEnum):
    """What became of an event at one destination."""

    WAITING = "waiting"
    #: it waits, and the destination stands still
    HELD = "held"
    DELIVERED = "delivered"
    #: by its type or what it holds, the destination does not want it
    FILTERED = "filtered"
    #: accepted before the destination began
    BEFORE = "before"
    #: refused for good: a dead letter tells why
    DEAD = "dead"
    #: it came later than the destination's freshness limit, or waited for longer than anything is kept
    EXPIRED = "expired"
    #: its destination ended while it waited
    ENDED = "ended"


#: What can still change by itself.
UNSETTLED = frozenset({Standing.WAITING, Standing.HELD})
#: What settles events for good, or for now.
_SETTLING = (AttemptOutcome.DELIVERED, AttemptOutcome.REJECTED, AttemptOutcome.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an event is, seen from one destination."""

    destination_id: UUID
    connection_id: UUID
    account_key: str
    environment: str
    kind: str
    standing: Standing
    #: when it was settled, as far as attempts are kept
    at: datetime | None
    #: why it waits, was refused or is not wanted
    reason: str | None
    #: when it is tried next, if it waits
    due_at: datetime | None
    letter_id: UUID | None
    #: a request that carried it had no answer: it may be there, and may be there twice
    possibly_delivered: bool


def places_of(session: Session, event: EventRow) -> tuple[Place, ...]:
    """Where `event` is, destination by destination; not those that had ended before it came."""
    stream_id = UUID(event.id.partition("-")[0])
    chosen = (
        select(Destination, Environment.vendor_key, Account.account_key, Connection.id.label("connection_id"))
        .join(Environment, Environment.id == Destination.environment_id)
        .join(Account, Account.id == Environment.account_id)
        .join(Connection, Connection.id == Account.connection_id)
        .where(Destination.stream_id == stream_id)
        .where(or_(Destination.closed_at.is_(None), Destination.closed_at > event.accepted_at))
        .order_by(Destination.id)
    )
    found = session.execute(chosen).all()
    ids = [row.Destination.id for row in found]
    letters, attempts = _letters(session, ids, event.seq), _attempts(session, ids, event.seq)
    lost = _lost(session, ids, event.seq)
    return tuple(
        _place(
            row,
            event,
            letters.get(row.Destination.id),
            attempts.get(row.Destination.id),
            possibly_delivered=row.Destination.id in lost,
        )
        for row in found
    )


def _letters(session: Session, ids: Sequence[UUID], seq: int) -> dict[UUID, DeadLetter]:
    chosen = select(DeadLetter).where(DeadLetter.destination_id.in_(ids), DeadLetter.seq == seq)
    return {letter.destination_id: letter for letter in session.execute(chosen).scalars()}


def _lost(session: Session, ids: Sequence[UUID], seq: int) -> Collection[UUID]:
    """Those of the destinations to which a request with it was sent and never answered."""
    chosen = select(Attempt.destination_id).where(
        Attempt.destination_id.in_(ids),
        Attempt.first_seq <= seq,
        Attempt.last_seq >= seq,
        Attempt.outcome == AttemptOutcome.POSSIBLY_DELIVERED,
    )
    return frozenset(session.scalars(chosen.distinct()))


def _attempts(session: Session, ids: Sequence[UUID], seq: int) -> dict[UUID, Attempt]:
    """The last attempt of each destination that carried this seq."""
    last = (
        select(func.max(Attempt.id))
        .where(Attempt.destination_id.in_(ids), Attempt.first_seq <= seq, Attempt.last_seq >= seq)
        .where(Attempt.outcome.in_(_SETTLING))
        .group_by(Attempt.destination_id)
    )
    chosen = select(Attempt).where(Attempt.id.in_(last))
    return {attempt.destination_id: attempt for attempt in session.execute(chosen).scalars()}


def _place(
    row: AnyRow,
    event: EventRow,
    letter: DeadLetter | None,
    attempt: Attempt | None,
    *,
    possibly_delivered: bool,
) -> Place:
    destination: Destination = row.Destination
    standing = _standing(destination, event, letter, attempt)
    waits = standing in UNSETTLED
    return Place(
        destination_id=destination.id,
        connection_id=row.connection_id,
        account_key=row.account_key,
        environment=row.vendor_key,
        kind=destination.kind,
        standing=standing,
        at=attempt.ended_at if attempt and not waits else None,
        reason=_reason(destination, event, standing, letter),
        due_at=destination.due_at if waits else None,
        letter_id=letter.id if letter else None,
        possibly_delivered=possibly_delivered,
    )


def _standing(
    destination: Destination, event: EventRow, letter: DeadLetter | None, attempt: Attempt | None
) -> Standing:
    if letter is not None and letter.state is not DeadLetterState.SUPERSEDED:
        queued = letter.state is DeadLetterState.QUEUED
        done = Standing.DELIVERED if letter.state is DeadLetterState.REPLAYED else Standing.DEAD
        return Standing.WAITING if queued else done
    if event.seq > destination.cursor_seq:
        if destination.closed_at is not None:
            return Standing.ENDED
        return Standing.HELD if destination.hold else Standing.WAITING
    return Standing.BEFORE if event.seq <= destination.origin_seq else _passed(destination, event, attempt)


def _passed(destination: Destination, event: EventRow, attempt: Attempt | None) -> Standing:
    """Of an event that the cursor is past: an age is looked at before a condition, but after a type."""
    if not _wants(destination, event):
        return Standing.FILTERED
    if attempt is not None and attempt.outcome is AttemptOutcome.EXPIRED:
        return Standing.EXPIRED
    if _unmet(destination, event):
        return Standing.FILTERED
    # Attempts are kept for a while only: an old event that was settled without one was sent long ago.
    return Standing.EXPIRED if attempt is None and destination.expired else Standing.DELIVERED


def _reason(
    destination: Destination, event: EventRow, standing: Standing, letter: DeadLetter | None
) -> str | None:
    if standing is Standing.DEAD and letter:
        return letter.reason
    if standing is Standing.FILTERED and _wants(destination, event):
        return f"wanted only where {_unmet(destination, event)}"
    return destination.reason if standing in UNSETTLED else None


def _wants(destination: Destination, event: EventRow) -> bool:
    kind = kind_named(destination.kind)
    wants = wanted(destination.settings)
    return (kind is None or kind.carries(event.type)) and (wants is None or wants(event.type))


def _unmet(destination: Destination, event: EventRow) -> str | None:
    """The condition, as it is set by now, that the event does not meet."""
    conditions = read_conditions(destination.settings.get("where") or "")
    envelope = parse_envelope((event.body or "").encode()) if conditions else {}
    return next((one.text for one in conditions if not one.holds(envelope)), None)
