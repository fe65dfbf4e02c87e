"""Dead letters: events that one destination could not take, with the reason."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, and_, func, or_, select
from sqlalchemy.orm import Session

from webapp.core.events.showing import beginning_of, readable
from webapp.core.queries.events import read_public_id
from webapp.core.queries.paging import PAGE_ROWS, AnyRow, AnySelect, Page, behind, bounded, cut, read_mark
from webapp.errors import NotFound
from webapp.models import (
    Account,
    Connection,
    DeadLetter,
    DeadLetterState,
    Destination,
    Environment,
    User,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterRow:
    """One dead letter; `body` is its event, pretty-printed, only when one alone is asked for."""

    id: UUID
    destination_id: UUID
    connection_id: UUID
    owner: str
    account_key: str
    environment: str
    kind: str
    #: the event's public id: its stream and place there
    event_id: str
    seq: int
    type: str
    reason: str
    #: what shows that the event is to blame and not its destination; None: it died before that was kept
    witness: str | None
    state: DeadLetterState
    created_at: datetime
    changed_at: datetime
    body: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterQuery:
    """Which dead letters, newest first. `type` matches exactly; `search` is a part of a type or a reason."""

    owner_id: UUID | None
    destination_id: UUID | None = None
    connection_id: UUID | None = None
    state: DeadLetterState | None = None
    type: str | None = None
    search: str | None = None
    #: our id of the event, or the one that its sender gave it
    event: str | None = None
    #: when it died: at the first or later, and at the last or earlier
    since: datetime | None = None
    until: datetime | None = None
    after: str | None = None
    limit: int = PAGE_ROWS


def list_dead_letters(session: Session, query: DeadLetterQuery) -> Page[DeadLetterRow]:
    """One page, in one statement, without the bodies."""
    limit = bounded(query.limit)
    chosen = _chosen(query).order_by(DeadLetter.id.desc()).limit(limit + 1)
    if query.after:
        marks = read_mark(query.after, [UUID])
        chosen = chosen.where(behind([DeadLetter.id.expression], marks, descending=True))
    return cut([_row(found) for found in session.execute(chosen)], limit, lambda row: row.id)


def read_dead_letters(
    session: Session, query: DeadLetterQuery, behind_id: UUID, limit: int
) -> list[DeadLetterRow]:
    """Those behind an id, oldest first, with their bodies."""
    chosen = _chosen(query).add_columns(DeadLetter.body).where(DeadLetter.id > behind_id)
    found = session.execute(chosen.order_by(DeadLetter.id).limit(limit))
    return [_row(one, body=readable(one.type, one.body)) for one in found]


def count_dead_letters(session: Session, query: DeadLetterQuery) -> int:
    """How many rows the list has, whatever page is shown."""
    return session.execute(select(func.count()).select_from(_chosen(query).subquery())).scalar_one()


def find_dead_letter(session: Session, owner_id: UUID | None, letter_id: UUID) -> DeadLetterRow:
    """One, with its body. Raises NotFound when there is none or it is somebody else's."""
    chosen = _chosen(DeadLetterQuery(owner_id=owner_id)).where(DeadLetter.id == letter_id)
    found = session.execute(chosen.add_columns(DeadLetter.body)).one_or_none()
    if found is None:
        raise NotFound("There is no such dead letter.")
    return _row(found, body=readable(found.type, found.body))


_COLUMNS = (
    DeadLetter.id,
    DeadLetter.destination_id,
    DeadLetter.seq,
    DeadLetter.type,
    DeadLetter.reason,
    DeadLetter.witness,
    DeadLetter.state,
    DeadLetter.created_at,
    DeadLetter.changed_at,
    Destination.stream_id,
    Destination.kind,
    Environment.vendor_key,
    Account.account_key,
    Account.connection_id,
)


def _chosen(query: DeadLetterQuery) -> AnySelect:
    chosen = (
        select(*_COLUMNS, func.coalesce(User.email, User.external_id, "").label("owner"))
        .join(Destination, Destination.id == DeadLetter.destination_id)
        .join(Environment, Environment.id == Destination.environment_id)
        .join(Account, Account.id == Environment.account_id)
        .join(Connection, Connection.id == Account.connection_id)
        .join(User, User.id == Connection.user_id)
    )
    wanted = (
        (Connection.user_id, query.owner_id),
        (DeadLetter.destination_id, query.destination_id),
        (Account.connection_id, query.connection_id),
        (DeadLetter.state, query.state),
        (DeadLetter.type, query.type or None),
    )
    chosen = chosen.where(*[column == value for column, value in wanted if value is not None])
    if query.search:
        parts = (DeadLetter.type, DeadLetter.reason)
        chosen = chosen.where(or_(*[part.icontains(query.search, autoescape=True) for part in parts]))
    if query.event:
        chosen = chosen.where(_of_event(query.event))
    if query.since is not None:
        chosen = chosen.where(DeadLetter.created_at >= query.since)
    if query.until is not None:
        chosen = chosen.where(DeadLetter.created_at <= query.until)
    return chosen


def _of_event(event_id: str) -> ColumnElement[bool]:
    """By the copy of the body that each keeps: the event itself may be gone."""
    if named := read_public_id(event_id):
        return and_(Destination.stream_id == named[0], DeadLetter.seq == named[1])
    beginning = beginning_of(event_id)
    return func.substr(DeadLetter.body, 1, len(beginning), type_=LargeBinary()) == beginning


def _row(found: AnyRow, body: str | None = None) -> DeadLetterRow:
    return DeadLetterRow(
        id=found.id,
        destination_id=found.destination_id,
        connection_id=found.connection_id,
        owner=found.owner,
        account_key=found.account_key,
        environment=found.vendor_key,
        kind=found.kind,
        event_id=f"{found.stream_id.hex}-{found.seq}",
        seq=found.seq,
        type=found.type,
        reason=found.reason,
        witness=found.witness,
        state=found.state,
        created_at=found.created_at,
        changed_at=found.changed_at,
        body=body,
    )


__all__ = [
    "DeadLetterQuery",
    "DeadLetterRow",
    "DeadLetterState",
    "count_dead_letters",
    "find_dead_letter",
    "list_dead_letters",
    "read_dead_letters",
]
