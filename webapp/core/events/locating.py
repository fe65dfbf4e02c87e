"""Where is event X? Found by its public id, and told for each destination of its stream."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core.events.drafts import key_hash
from webapp.core.events.storing import public_id
from webapp.core.streams.filters import wanted
from webapp.errors import NotFound
from webapp.models import (
    Attempt,
    AttemptOutcome,
    DeadLetter,
    DeadLetterState,
    Destination,
    Event,
    Stream,
)

_PUBLIC_ID = re.compile(r"([0-9a-f]{32})-([1-9][0-9]{0,17})", re.ASCII)


class Whereabouts(StrEnum):
    """Where an event stands at one destination."""

    #: behind the cursor's front: it will be sent
    WAITING = "waiting"
    DELIVERED = "delivered"
    #: its type is not among those that the destination wants
    FILTERED = "filtered"
    #: it could not be taken: see its dead letter
    DEAD_LETTER = "dead_letter"
    #: it waited too long at a destination that stood still
    EXPIRED = "expired"
    #: the destination began after it
    BEFORE = "before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An event at one destination."""

    destination_id: UUID
    whereabouts: Whereabouts
    #: the run of requests that carried it last, if it is still kept
    attempt_id: int | None
    dead_letter_id: UUID | None
    dead_letter_state: DeadLetterState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """An event, and where it is. `body` is the envelope as it is sent, JSON."""

    id: str
    user_id: UUID
    stream_id: UUID
    seq: int
    type: str
    source: str
    subject: str | None
    state: str | None
    time: datetime
    accepted_at: datetime
    body: bytes
    standings: tuple[Standing, ...]


def locate(session: Session, event_id: str) -> Located:
    """The event of that public id. Raises NotFound, also once it is no longer kept. Ask whose it is."""
    parts = _PUBLIC_ID.fullmatch(event_id)
    if parts is None:
        raise NotFound("That is no id of an event.")
    stream_id, seq = UUID(parts[1]), int(parts[2])
    event = session.get(Event, (stream_id, seq))
    if event is None:
        raise NotFound("There is no such event, or it is no longer kept.")
    destinations = session.scalars(
        select(Destination).where(Destination.stream_id == stream_id).order_by(Destination.id)
    )
    return Located(
        id=event_id,
        user_id=session.get_one(Stream, stream_id).user_id,
        stream_id=stream_id,
        seq=seq,
        type=event.type,
        source=event.source,
        subject=event.subject,
        state=event.state,
        time=event.time,
        accepted_at=event.accepted_at,
        body=event.body,
        standings=tuple(_standing(session, destination, event) for destination in destinations),
    )


def find_id(session: Session, user_id: UUID, source: str, id: str) -> str | None:
    """The public id of the event that the host app calls `id` from `source`; None when it is not kept."""
    query = (
        select(Event.stream_id, Event.seq)
        .join(Stream, Stream.id == Event.stream_id)
        .where(Stream.user_id == user_id, Event.key_hash == key_hash(source, id))
    )
    found = session.execute(query).one_or_none()
    return None if found is None else public_id(found.stream_id, found.seq)


def _standing(session: Session, destination: Destination, event: Event) -> Standing:
    letter = _dead_letter(session, destination.id, event.seq)
    attempt = _attempt(session, destination.id, event.seq)
    return Standing(
        destination_id=destination.id,
        whereabouts=_whereabouts(destination, event, letter, attempt),
        attempt_id=None if attempt is None else attempt.id,
        dead_letter_id=None if letter is None else letter.id,
        dead_letter_state=None if letter is None else letter.state,
    )


def _whereabouts(
    destination: Destination, event: Event, letter: DeadLetter | None, attempt: Attempt | None
) -> Whereabouts:
    wants = wanted(destination.settings)
    if event.seq > destination.cursor_seq:
        return Whereabouts.WAITING
    if letter is not None and letter.state is DeadLetterState.REPLAYED:
        return Whereabouts.DELIVERED
    if letter is not None and letter.state is not DeadLetterState.SUPERSEDED:
        return Whereabouts.DEAD_LETTER
    if event.seq <= destination.origin_seq and not destination.rewound:
        return Whereabouts.BEFORE
    if wants is not None and not wants(event.type):
        return Whereabouts.FILTERED
    # Old attempts are forgotten; but where events have expired, only an attempt shows that this one was sent.
    taken = attempt is not None and attempt.outcome in {AttemptOutcome.DELIVERED, AttemptOutcome.REJECTED}
    return Whereabouts.DELIVERED if taken or not destination.expired else Whereabouts.EXPIRED


def _dead_letter(session: Session, destination_id: UUID, seq: int) -> DeadLetter | None:
    query = (
        select(DeadLetter)
        .where(DeadLetter.destination_id == destination_id, DeadLetter.seq == seq)
        .order_by(DeadLetter.id.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def _attempt(session: Session, destination_id: UUID, seq: int) -> Attempt | None:
    query = (
        select(Attempt)
        .where(Attempt.destination_id == destination_id, Attempt.first_seq <= seq, Attempt.last_seq >= seq)
        .order_by(Attempt.id.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()
