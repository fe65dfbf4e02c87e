"""Attempts: what a destination's requests came to, newest first."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core.queries.paging import PAGE_ROWS, AnyRow, AnySelect, Page, bounded, cut, read_mark
from webapp.models import Account, Attempt, AttemptOutcome, Connection, Destination, Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """A run of requests with one outcome."""

    id: int
    destination_id: UUID
    account_key: str
    environment: str
    kind: str
    first_seq: int
    last_seq: int
    events: int
    requests: int
    outcome: AttemptOutcome
    status: int | None
    milliseconds: int
    words: str | None
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptQuery:
    """Whose attempts: of one destination, of one connection, or of all that the owner has."""

    owner_id: UUID | None
    destination_id: UUID | None = None
    connection_id: UUID | None = None
    outcome: AttemptOutcome | None = None
    after: str | None = None
    limit: int = PAGE_ROWS


def list_attempts(session: Session, query: AttemptQuery) -> Page[AttemptRow]:
    """One page, in one statement."""
    limit = bounded(query.limit)
    chosen = _chosen(query).order_by(Attempt.id.desc()).limit(limit + 1)
    if query.after:
        chosen = chosen.where(Attempt.id < read_mark(query.after, [int])[0])
    return cut([_row(found) for found in session.execute(chosen)], limit, lambda row: row.id)


def _chosen(query: AttemptQuery) -> AnySelect:
    chosen = (
        select(Attempt, Destination.kind, Environment.vendor_key, Account.account_key)
        .join(Destination, Destination.id == Attempt.destination_id)
        .join(Environment, Environment.id == Destination.environment_id)
        .join(Account, Account.id == Environment.account_id)
    )
    if query.owner_id is not None:
        chosen = chosen.join(Connection, Connection.id == Account.connection_id).where(
            Connection.user_id == query.owner_id
        )
    if query.destination_id is not None:
        chosen = chosen.where(Attempt.destination_id == query.destination_id)
    if query.connection_id is not None:
        chosen = chosen.where(Account.connection_id == query.connection_id)
    if query.outcome is not None:
        chosen = chosen.where(Attempt.outcome == query.outcome)
    return chosen


def _row(found: AnyRow) -> AttemptRow:
    attempt: Attempt = found.Attempt
    return AttemptRow(
        id=attempt.id,
        destination_id=attempt.destination_id,
        account_key=found.account_key,
        environment=found.vendor_key,
        kind=found.kind,
        first_seq=attempt.first_seq,
        last_seq=attempt.last_seq,
        events=attempt.events,
        requests=attempt.requests,
        outcome=attempt.outcome,
        status=attempt.status,
        milliseconds=attempt.milliseconds,
        words=attempt.words,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
    )


__all__ = ["AttemptOutcome", "AttemptQuery", "AttemptRow", "list_attempts"]
