"""Destinations as pages and the API show them: where they stand, and a ledger that adds up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core.queries.paging import PAGE_ROWS, AnyRow, AnySelect, Page, behind, bounded, cut, read_mark
from webapp.errors import NotFound
from webapp.models import (
    Account,
    Connection,
    Destination,
    Environment,
    Hold,
    Stream,
    User,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What became of every event: `accepted = delivered + filtered + dead + expired + waiting`, always.

    `accepted` counts from where the destination began, and again what was rewound.
    """

    accepted: int
    delivered: int
    filtered: int
    dead: int
    expired: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRow:
    """One destination, with whose it is and what waits there."""

    id: UUID
    connection_id: UUID
    connection_label: str
    owner_id: UUID
    owner: str
    provider: str
    environment_id: UUID
    account_key: str
    environment: str
    kind: str
    settings: Mapping[str, Any]
    hold: Hold | None
    reason: str | None
    due_at: datetime | None
    failures: int
    failing_since: datetime | None
    last_delivered_at: datetime | None
    cursor_seq: int
    head_seq: int
    #: the first seq still kept: how far back a rewind can go
    tail_seq: int
    #: dead letters that wait for their replay
    queued: int
    ledger: Ledger
    created_at: datetime
    closed_at: datetime | None

    @property
    def lag(self) -> int:
        """Events accepted and not yet settled here."""
        return self.ledger.waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationQuery:
    """Which destinations to list, newest first."""

    owner_id: UUID | None
    connection_id: UUID | None = None
    after: str | None = None
    limit: int = PAGE_ROWS


def list_destinations(session: Session, query: DestinationQuery) -> Page[DestinationRow]:
    """One page, in one statement."""
    limit = bounded(query.limit)
    chosen = _chosen(query.owner_id).order_by(Destination.id.desc()).limit(limit + 1)
    if query.connection_id is not None:
        chosen = chosen.where(Connection.id == query.connection_id)
    if query.after:
        marks = read_mark(query.after, [UUID])
        chosen = chosen.where(behind([Destination.id.expression], marks, descending=True))
    return cut([_row(found) for found in session.execute(chosen)], limit, lambda row: row.id)


def find_destination(session: Session, owner_id: UUID | None, destination_id: UUID) -> DestinationRow:
    """One destination. Raises NotFound when there is none or it is somebody else's."""
    found = session.execute(_chosen(owner_id).where(Destination.id == destination_id)).one_or_none()
    if found is None:
        raise NotFound("There is no such destination.")
    return _row(found)


def _chosen(owner_id: UUID | None) -> AnySelect:
    chosen = (
        select(Destination, Environment, Account, Connection, User, Stream)
        .join(Environment, Environment.id == Destination.environment_id)
        .join(Account, Account.id == Environment.account_id)
        .join(Connection, Connection.id == Account.connection_id)
        .join(User, User.id == Connection.user_id)
        .join(Stream, Stream.id == Destination.stream_id)
    )
    return chosen if owner_id is None else chosen.where(Connection.user_id == owner_id)


def _row(found: AnyRow) -> DestinationRow:
    destination: Destination = found.Destination
    return DestinationRow(
        id=destination.id,
        connection_id=found.Connection.id,
        connection_label=found.Connection.label,
        owner_id=found.User.id,
        owner=found.User.label,
        provider=found.Connection.provider,
        environment_id=found.Environment.id,
        account_key=found.Account.account_key,
        environment=found.Environment.vendor_key,
        kind=destination.kind,
        settings=destination.settings,
        hold=destination.hold,
        reason=destination.reason,
        due_at=destination.due_at,
        failures=destination.failures,
        failing_since=destination.failing_since,
        last_delivered_at=destination.last_delivered_at,
        cursor_seq=destination.cursor_seq,
        head_seq=found.Stream.head_seq,
        tail_seq=found.Stream.tail_seq,
        queued=destination.queued,
        ledger=_ledger(destination, found.Stream.head_seq),
        created_at=destination.created_at,
        closed_at=destination.closed_at,
    )


def _ledger(destination: Destination, head_seq: int) -> Ledger:
    return Ledger(
        accepted=head_seq - destination.origin_seq + destination.rewound,
        delivered=destination.delivered,
        filtered=destination.filtered,
        dead=destination.dead,
        expired=destination.expired,
        waiting=head_seq - destination.cursor_seq,
    )
