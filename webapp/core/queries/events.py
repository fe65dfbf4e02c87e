"""Events as people look for them: a user's latest, and one by its id."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, func, or_, select
from sqlalchemy.orm import Session, defer

from webapp.core.events.drafts import key_hash
from webapp.core.events.showing import OWN_ID_BYTES, own_id, readable
from webapp.core.queries.paging import PAGE_ROWS, AnyRow, AnySelect, Page, bounded, cut, read_mark
from webapp.errors import NotFound
from webapp.models import Event, Stream, User
from webapp.providers.receiving import OTLP_TYPES

_PUBLIC_ID = re.compile(r"([0-9a-f]{32})-([1-9][0-9]{0,17})")


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
    return read_public_id(text) is not None


def read_public_id(text: str) -> tuple[UUID, int] | None:
    """The stream and the seq that our own id of an event names; None: it is none."""
    matched = _PUBLIC_ID.fullmatch(text)
    return None if matched is None else (UUID(matched[1]), int(matched[2]))


def find_event(session: Session, owner_id: UUID | None, event_id: str) -> EventRow:
    """One event with its body. Raises NotFound when there is none, or no longer, or it is somebody else's."""
    named = read_public_id(event_id)
    if named is None:
        raise NotFound("There is no such event.")
    stream_id, seq = named
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
