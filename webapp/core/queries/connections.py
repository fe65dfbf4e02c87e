"""The list of connections: who holds which account where, how it is, and what to look at first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, cast, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from webapp.core.queries.paging import PAGE_ROWS, AnySelect, Page, behind, bounded, cut, read_mark
from webapp.models import (
    Account,
    Connection,
    ConnectionState,
    Credential,
    CredentialKind,
    Destination,
    Environment,
    Stream,
    User,
)

#: What stands for "never" in a sort: behind every real time, and not null, so that a keyset can hold it.
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class ConnectionSort(StrEnum):
    """What the list can be ordered by."""

    NEWEST = "newest"
    OWNER = "owner"
    ACCOUNT = "account"
    STATE = "state"
    #: soonest token expiry first
    EXPIRY = "expiry"
    #: longest without a delivery first
    QUIET = "quiet"
    #: most events waiting first
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionQuery:
    """What to list. `search` looks in the account's label and the owner's names."""

    owner_id: UUID | None
    search: str = ""
    state: ConnectionState | None = None
    provider: str | None = None
    sort: ConnectionSort = ConnectionSort.NEWEST
    after: str | None = None
    limit: int = PAGE_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRow:
    """One connection as lists show it."""

    id: UUID
    owner_id: UUID
    owner: str
    #: how the host app names the owner, if it does
    external_id: str | None
    provider: str
    label: str
    state: ConnectionState
    reason: str | None
    created_at: datetime
    #: the access token's; None: nothing that expires
    expires_at: datetime | None
    refresh_at: datetime | None
    last_delivered_at: datetime | None
    #: events accepted and not yet settled, over all its destinations
    waiting: int
    destinations: int
    #: destinations that stand still
    held: int


@dataclass(frozen=True, slots=True)
class _Forwarding:
    """What the destinations of one connection come to."""

    waiting: int = 0
    destinations: int = 0
    held: int = 0
    last_delivered_at: datetime | None = None


def list_connections(session: Session, query: ConnectionQuery) -> Page[ConnectionRow]:
    """One page. Always three statements, however many connections there are."""
    limit, order = bounded(query.limit), _ORDERS[query.sort]
    keys = [order.key(), Connection.id.expression]
    chosen = _filtered(query).add_columns(keys[0].label("sort_key")).limit(limit + 1)
    if query.after:
        marks = read_mark(query.after, [order.kind, UUID])
        chosen = chosen.where(behind(keys, marks, descending=order.descending))
    chosen = chosen.order_by(*[key.desc() if order.descending else key.asc() for key in keys])
    page = cut(session.execute(chosen).all(), limit, lambda row: row.sort_key, lambda row: row.Connection.id)
    pairs = [(row.Connection, row.User) for row in page.rows]
    return Page(rows_of(session, pairs), page.next)


def count_connections(session: Session, query: ConnectionQuery) -> int:
    """How many rows the list has, whatever page is shown."""
    return session.execute(select(func.count()).select_from(_filtered(query).subquery())).scalar_one()


def count_by_state(session: Session, owner_id: UUID | None) -> dict[ConnectionState, int]:
    """How many connections are in each state; states without any are left out."""
    counted = select(Connection.state, func.count()).group_by(Connection.state)
    if owner_id is not None:
        counted = counted.where(Connection.user_id == owner_id)
    return dict(session.execute(counted).all())


def rows_of(session: Session, pairs: Sequence[tuple[Connection, User]]) -> tuple[ConnectionRow, ...]:
    """Connections with their owners as rows: two statements for all of them."""
    ids = [connection.id for connection, _ in pairs]
    grants, forwarding = _grants(session, ids), _forwarding(session, ids)
    return tuple(
        _row(
            connection,
            owner,
            grants.get(connection.id, (None, None)),
            forwarding.get(connection.id, _Forwarding()),
        )
        for connection, owner in pairs
    )


def _row(
    connection: Connection,
    owner: User,
    grant: tuple[datetime | None, datetime | None],
    forwarding: _Forwarding,
) -> ConnectionRow:
    return ConnectionRow(
        id=connection.id,
        owner_id=owner.id,
        owner=owner.label,
        external_id=owner.external_id,
        provider=connection.provider,
        label=connection.label,
        state=connection.state,
        reason=connection.reason,
        created_at=connection.created_at,
        expires_at=grant[0],
        refresh_at=grant[1],
        last_delivered_at=forwarding.last_delivered_at,
        waiting=forwarding.waiting,
        destinations=forwarding.destinations,
        held=forwarding.held,
    )


def _filtered(query: ConnectionQuery) -> AnySelect:
    chosen = select(Connection, User).join(User, User.id == Connection.user_id)
    if query.owner_id is not None:
        chosen = chosen.where(Connection.user_id == query.owner_id)
    if query.state is not None:
        chosen = chosen.where(Connection.state == query.state)
    if query.provider:
        chosen = chosen.where(Connection.provider == query.provider)
    if query.search:
        chosen = chosen.where(or_(*[_holds(column, query.search) for column in _SEARCHED]))
    return chosen


_SEARCHED = (Connection.label, User.email, User.external_id)


def _holds(column: InstrumentedAttribute[Any], words: str) -> ColumnElement[bool]:
    return func.lower(column).contains(words.lower(), autoescape=True)


def _grants(session: Session, ids: Sequence[UUID]) -> dict[UUID, tuple[datetime | None, datetime | None]]:
    found = session.execute(
        select(Credential.connection_id, func.min(Credential.expires_at), func.min(Credential.refresh_at))
        .where(Credential.connection_id.in_(ids), Credential.kind == CredentialKind.GRANT)
        .group_by(Credential.connection_id)
    )
    return {row[0]: (row[1], row[2]) for row in found}


def _forwarding(session: Session, ids: Sequence[UUID]) -> dict[UUID, _Forwarding]:
    found = session.execute(
        select(
            Account.connection_id,
            func.sum(Stream.head_seq - Destination.cursor_seq),
            func.count(Destination.id),
            func.count(Destination.hold),
            func.max(Destination.last_delivered_at),
        )
        .join(Environment, Environment.account_id == Account.id)
        .join(Destination, Destination.environment_id == Environment.id)
        .join(Stream, Stream.id == Destination.stream_id)
        .where(Account.connection_id.in_(ids), Destination.closed_at.is_(None))
        .group_by(Account.connection_id)
    )
    return {row[0]: _Forwarding(int(row[1]), row[2], row[3], row[4]) for row in found}


@dataclass(frozen=True, slots=True)
class _Order:
    """How a sort reads its key. The key is never null."""

    key: Any
    kind: type
    descending: bool = False


def _of_destinations(value: ColumnElement[Any], nothing: object) -> ColumnElement[Any]:
    inner = (
        select(value)
        .select_from(Account)
        .join(Environment, Environment.account_id == Account.id)
        .join(Destination, Destination.environment_id == Environment.id)
        .join(Stream, Stream.id == Destination.stream_id)
        .where(Account.connection_id == Connection.id, Destination.closed_at.is_(None))
        .correlate(Connection)
        .scalar_subquery()
    )
    return func.coalesce(inner, literal(nothing, value.type), type_=value.type)


def _expiry() -> ColumnElement[Any]:
    inner = (
        select(func.min(Credential.expires_at))
        .where(Credential.connection_id == Connection.id, Credential.kind == CredentialKind.GRANT)
        .correlate(Connection)
        .scalar_subquery()
    )
    return func.coalesce(inner, literal(_NEVER, Credential.expires_at.type), type_=Credential.expires_at.type)


_ORDERS = {
    ConnectionSort.NEWEST: _Order(lambda: Connection.id.expression, UUID, descending=True),
    ConnectionSort.OWNER: _Order(lambda: func.coalesce(User.email, User.external_id, ""), str),
    ConnectionSort.ACCOUNT: _Order(lambda: Connection.label.expression, str),
    ConnectionSort.STATE: _Order(lambda: Connection.state.expression, ConnectionState),
    ConnectionSort.EXPIRY: _Order(_expiry, datetime),
    ConnectionSort.QUIET: _Order(
        lambda: _of_destinations(func.max(Destination.last_delivered_at), _LONG_AGO), datetime
    ),
    ConnectionSort.WAITING: _Order(
        lambda: _of_destinations(cast(func.sum(Stream.head_seq - Destination.cursor_seq), BigInteger), -1),
        int,
        descending=True,
    ),
}

__all__ = [
    "ConnectionQuery",
    "ConnectionRow",
    "ConnectionSort",
    "ConnectionState",
    "count_by_state",
    "count_connections",
    "list_connections",
    "rows_of",
]
