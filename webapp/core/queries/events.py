"""Events as people look for them: a user's latest, one by its id, and where it is at each destination."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import LargeBinary, func, or_, select
from sqlalchemy.orm import Session, defer

from webapp.core.events.drafts import key_hash
from webapp.core.events.showing import OWN_ID_BYTES, own_id, readable
from webapp.core.queries.paging import PAGE_ROWS, AnyRow, AnySelect, Page, bounded, cut, read_mark
from webapp.core.streams.filters import wanted
from webapp.errors import NotFound
from webapp.models import (
    Account,
    Attempt,
    AttemptOutcome,
    Connection,
    DeadLetter,
    DeadLetterState,
    Destination,
    Environment,
    Event,
    Stream,
    User,
)
from webapp.providers.base import OTLP_TYPES
from webapp.providers.registry import KINDS

_PUBLIC_ID = re.compile(r"([0-9a-f]{32})-([1-9][0-9]{0,17})")


class Standing(StrEnum):
    """What became of an event at one destination."""

    WAITING = "waiting"
    #: it waits, and the destination stands still
    HELD = "held"
    DELIVERED = "delivered"
    #: of a type that the destination does not want
    FILTERED = "filtered"
    #: accepted before the destination began
    BEFORE = "before"
    #: refused for good: a dead letter tells why
    DEAD = "dead"
    #: it waited too long
    EXPIRED = "expired"
    #: its destination ended while it waited
    ENDED = "ended"


#: What can still change by itself.
UNSETTLED = frozenset({Standing.WAITING, Standing.HELD})


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event. `id` is our public id; `source` and `own_id` are the host app's own names for it."""

    id: str
    seq: int
    user_id: UUID
    owner: str
    own_id: str
    source: str
    type: str
    subject: str | None
    state: str | None
    time: datetime
    accepted_at: datetime
    #: what is stored, readable; only when one alone is asked for
    body: str | None = None

    @property
    def is_otlp(self) -> bool:
        """Whether it came by OTLP; its own id is then the hash of its bytes."""
        return self.type.startswith(OTLP_TYPES)


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
    #: why it waits or was refused
    reason: str | None
    #: when it is tried next, if it waits
    due_at: datetime | None
    letter_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRow:
    """A user's stream, for admins."""

    user_id: UUID
    owner: str
    accepted: int
    last_accepted_at: datetime | None


def list_streams(session: Session, *, search: str = "", limit: int = PAGE_ROWS) -> tuple[StreamRow, ...]:
    """The streams that took an event last, first."""
    chosen = select(User, Stream).join(Stream, Stream.user_id == User.id).where(Stream.head_seq > 0)
    if search:
        names = (User.email, User.external_id)
        chosen = chosen.where(
            or_(*[func.lower(name).contains(search.lower(), autoescape=True) for name in names])
        )
    found = session.execute(chosen.order_by(Stream.last_accepted_at.desc()).limit(bounded(limit)))
    return tuple(
        StreamRow(
            user_id=user.id,
            owner=user.label,
            accepted=stream.head_seq,
            last_accepted_at=stream.last_accepted_at,
        )
        for user, stream in found
    )


def list_events(
    session: Session, user_id: UUID, *, after: str | None = None, limit: int = PAGE_ROWS
) -> Page[EventRow]:
    """A user's events, newest first, without their bodies."""
    limit = bounded(limit)
    chosen = _chosen().where(Stream.user_id == user_id).order_by(Event.seq.desc()).limit(limit + 1)
    if after:
        chosen = chosen.where(Event.seq < read_mark(after, [int])[0])
    return cut([_row(found) for found in session.execute(chosen)], limit, lambda row: row.seq)


def is_public_id(text: str) -> bool:
    """Whether `text` has the form of our own event ids."""
    return _PUBLIC_ID.fullmatch(text) is not None


def find_event(session: Session, owner_id: UUID | None, event_id: str) -> EventRow:
    """One event with its body. Raises NotFound when there is none, or no longer, or it is somebody else's."""
    matched = _PUBLIC_ID.fullmatch(event_id)
    if matched is None:
        raise NotFound("There is no such event.")
    stream_id, seq = UUID(matched[1]), int(matched[2])
    chosen = _chosen().where(Event.stream_id == stream_id, Event.seq == seq)
    if owner_id is not None:
        chosen = chosen.where(Stream.user_id == owner_id)
    found = session.execute(chosen.add_columns(Event.body)).one_or_none()
    if found is None:
        raise NotFound("There is no such event.")
    return replace(_row(found), body=readable(found.Event.type, found.body))


def find_by_identity(session: Session, user_id: UUID, source: str, own_id: str) -> str | None:
    """The public id of what the host app calls (source, id); None if there is no such event, or no longer."""
    chosen = (
        select(Event.stream_id, Event.seq)
        .join(Stream, Stream.id == Event.stream_id)
        .where(Stream.user_id == user_id, Event.key_hash == key_hash(source, own_id))
    )
    found = session.execute(chosen).one_or_none()
    return None if found is None else f"{found.stream_id.hex}-{found.seq}"


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
    return tuple(
        _place(row, event, letters.get(row.Destination.id), attempts.get(row.Destination.id)) for row in found
    )


def _letters(session: Session, ids: Sequence[UUID], seq: int) -> dict[UUID, DeadLetter]:
    chosen = select(DeadLetter).where(DeadLetter.destination_id.in_(ids), DeadLetter.seq == seq)
    return {letter.destination_id: letter for letter in session.execute(chosen).scalars()}


def _attempts(session: Session, ids: Sequence[UUID], seq: int) -> dict[UUID, Attempt]:
    """The last attempt of each destination that carried this seq."""
    last = (
        select(func.max(Attempt.id))
        .where(Attempt.destination_id.in_(ids), Attempt.first_seq <= seq, Attempt.last_seq >= seq)
        .where(Attempt.outcome.in_((AttemptOutcome.DELIVERED, AttemptOutcome.REJECTED)))
        .group_by(Attempt.destination_id)
    )
    chosen = select(Attempt).where(Attempt.id.in_(last))
    return {attempt.destination_id: attempt for attempt in session.execute(chosen).scalars()}


def _place(row: AnyRow, event: EventRow, letter: DeadLetter | None, attempt: Attempt | None) -> Place:
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
        reason=letter.reason
        if letter and standing is Standing.DEAD
        else destination.reason
        if waits
        else None,
        due_at=destination.due_at if waits else None,
        letter_id=letter.id if letter else None,
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
    if event.seq <= destination.origin_seq:
        return Standing.BEFORE
    if not _wants(destination, event.type):
        return Standing.FILTERED
    # Attempts are kept for a while only: an old event that was settled without one was sent long ago.
    return Standing.EXPIRED if attempt is None and destination.expired else Standing.DELIVERED


def _wants(destination: Destination, type: str) -> bool:
    kind = KINDS.get(destination.kind)
    wants = wanted(destination.settings)
    return (kind is None or kind.carries(type)) and (wants is None or wants(type))


def _chosen() -> AnySelect:
    """Events with the beginning of their bodies: a list must not read the whole of them."""
    return (
        select(Event, User, func.substr(Event.body, 1, OWN_ID_BYTES, type_=LargeBinary()).label("beginning"))
        .options(defer(Event.body, raiseload=True))
        .join(Stream, Stream.id == Event.stream_id)
        .join(User, User.id == Stream.user_id)
    )


def _row(found: AnyRow) -> EventRow:
    event: Event = found.Event
    return EventRow(
        id=f"{event.stream_id.hex}-{event.seq}",
        seq=event.seq,
        user_id=found.User.id,
        owner=found.User.label,
        own_id=own_id(event.type, found.beginning, event.digest),
        source=event.source,
        type=event.type,
        subject=event.subject,
        state=event.state,
        time=event.time,
        accepted_at=event.accepted_at,
    )
