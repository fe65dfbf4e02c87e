"""Errands: what left the house, or is to leave it, by mail and by webhook; for admins."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from webapp.core.queries.paging import PAGE_ROWS, AnyRow, Page, behind, bounded, cut, read_mark
from webapp.lib.database import db_time
from webapp.models import Connection, Errand, ErrandState, Notice, User, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrandRow:
    """One mail or one webhook, and what became of it. Nothing of a webhook's link is in it."""

    id: UUID
    way: Way
    kind: str
    #: whom a mail goes to; None: the host app
    to: str | None
    connection_id: UUID | None
    connection: str | None
    #: what it says, or the reason that it gives
    text: str | None
    state: ErrandState
    #: somebody carries it at this moment
    sending: bool
    due_at: datetime | None
    tries: int
    #: of the last answer: a status of HTTP or a reply code of SMTP
    status: int | None
    answer: str | None
    created_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrandQuery:
    """Which errands, newest first. `kind` is matched exactly."""

    state: ErrandState | None = None
    way: Way | None = None
    kind: str | None = None
    connection_id: UUID | None = None
    after: str | None = None
    limit: int = PAGE_ROWS


_SENDING = and_(Errand.lease.is_not(None), Errand.due_at > db_time())


def list_errands(session: Session, query: ErrandQuery) -> Page[ErrandRow]:
    """One page in one statement."""
    limit = bounded(query.limit)
    chosen = (
        select(
            Errand,
            _SENDING.label("sending"),
            func.coalesce(User.email, User.external_id).label("to"),
            Connection.label.label("connection"),
            Notice.text.label("text"),
        )
        .outerjoin(User, User.id == Errand.user_id)
        .outerjoin(Connection, Connection.id == Errand.connection_id)
        .outerjoin(Notice, Notice.id == Errand.notice_id)
        .where(*_wanted(query))
        .order_by(Errand.id.desc())
        .limit(limit + 1)
    )
    if query.after:
        chosen = chosen.where(behind([Errand.id.expression], read_mark(query.after, [UUID]), descending=True))
    return cut([_row(found) for found in session.execute(chosen)], limit, lambda row: row.id)


def count_errands(session: Session) -> dict[ErrandState, int]:
    """How many there are in each state; settled ones are kept for a month."""
    counted = select(Errand.state, func.count()).group_by(Errand.state)
    return {state: number for state, number in session.execute(counted)}  # noqa: C416 - a Row is no pair to mypy


def _wanted(query: ErrandQuery) -> list[Any]:
    wanted = (
        (Errand.state, query.state),
        (Errand.way, query.way),
        (Errand.kind, query.kind),
        (Errand.connection_id, query.connection_id),
    )
    return [column == value for column, value in wanted if value is not None]


def _row(found: AnyRow) -> ErrandRow:
    errand: Errand = found.Errand
    return ErrandRow(
        id=errand.id,
        way=errand.way,
        kind=errand.kind,
        to=found.to,
        connection_id=errand.connection_id,
        connection=found.connection,
        text=found.text or errand.data.get("reason"),
        state=errand.state,
        sending=bool(found.sending),
        due_at=errand.due_at,
        tries=errand.tries,
        status=errand.status,
        answer=errand.answer,
        created_at=errand.created_at,
        settled_at=errand.settled_at,
    )


__all__ = ["ErrandQuery", "ErrandRow", "ErrandState", "Way", "count_errands", "list_errands"]
