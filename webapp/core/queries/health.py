"""The instance's health for admins: what is due, who works, what is stopped, what was told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from webapp.core.queries.connections import count_by_state
from webapp.lib.database import db_time
from webapp.models import (
    Breaker,
    Connection,
    ConnectionState,
    Credential,
    DeadLetter,
    DeadLetterState,
    Destination,
    Errand,
    Hold,
    Notice,
    Process,
    Revocation,
    Stream,
    User,
)

#: A process not seen for this long is taken for gone.
GONE_SECONDS = 30.0
_NOTICES = 50


@dataclass(frozen=True, slots=True)
class Due:
    """Work that is due now, and since when the oldest waits."""

    work: str
    count: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process of ours."""

    kind: str
    host: str
    seen_at: datetime
    alive: bool


@dataclass(frozen=True, slots=True)
class BreakerRow:
    """What all processes hold back from, until when, and why."""

    scope: str
    key: str
    open_until: datetime
    failures: int
    incident: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """Something a person was or is to be told."""

    id: UUID
    kind: str
    text: str
    created_at: datetime
    connection_id: UUID | None
    #: None: for all admins
    reader: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The whole instance at a glance."""

    now: datetime
    connections: dict[ConnectionState, int]
    due: tuple[Due, ...]
    processes: tuple[ProcessRow, ...]
    breakers: tuple[BreakerRow, ...]
    holds: dict[Hold, int]
    waiting: int
    dead_letters: int
    notices: tuple[NoticeRow, ...]


def read_health(session: Session) -> Health:
    """A dozen small statements, none of which reads events."""
    now: datetime = session.execute(select(db_time())).scalar_one()
    return Health(
        now=now,
        connections=count_by_state(session, None),
        due=_due(session, now),
        processes=_processes(session, now),
        breakers=_breakers(session),
        holds=_holds(session),
        waiting=_waiting(session),
        dead_letters=_open_dead_letters(session),
        notices=list_notices(session, everybody=True),
    )


def list_notices(
    session: Session, *, user_id: UUID | None = None, admins: bool = False, everybody: bool = False
) -> tuple[NoticeRow, ...]:
    """Unread notices, newest first: one user's, and with `admins` those for all admins; or everybody's."""
    reader = func.coalesce(User.email, User.external_id)
    chosen = select(Notice, reader).outerjoin(User, User.id == Notice.user_id).where(Notice.read_at.is_(None))
    if not everybody:
        own = Notice.user_id == user_id
        chosen = chosen.where(or_(own, Notice.user_id.is_(None)) if admins else own)
    found = session.execute(chosen.order_by(Notice.id.desc()).limit(_NOTICES))
    return tuple(
        NoticeRow(
            notice.id,
            notice.kind,
            notice.text,
            notice.created_at,
            notice.connection_id,
            who,
        )
        for notice, who in found
    )


def _due(session: Session, now: datetime) -> tuple[Due, ...]:
    clocks: tuple[tuple[str, Any, ColumnElement[bool]], ...] = (
        ("deliveries", Destination.due_at, Destination.lease_token.is_(None)),
        ("refreshes", Credential.refresh_at, Credential.lease.is_(None)),
        ("notices", Errand.due_at, Errand.lease.is_(None)),
        ("revocations", Revocation.due_at, Revocation.lease.is_(None)),
        ("environment lists", Connection.environments_due_at, Connection.environments_lease.is_(None)),
    )
    return tuple(
        Due(
            work,
            *session.execute(
                select(func.count(clock), func.min(clock)).where(and_(clock <= now, free))
            ).one(),
        )
        for work, clock, free in clocks
    )


def _processes(session: Session, now: datetime) -> tuple[ProcessRow, ...]:
    found = session.execute(select(Process).order_by(Process.seen_at.desc()).limit(100)).scalars()
    limit = now - timedelta(seconds=GONE_SECONDS)
    return tuple(
        ProcessRow(process.kind, process.host, process.seen_at, process.seen_at > limit) for process in found
    )


def _breakers(session: Session) -> tuple[BreakerRow, ...]:
    found = session.execute(select(Breaker).order_by(Breaker.since)).scalars()
    return tuple(
        BreakerRow(
            breaker.scope,
            breaker.key,
            breaker.open_until,
            breaker.failures,
            breaker.incident,
            breaker.since,
        )
        for breaker in found
    )


def _holds(session: Session) -> dict[Hold, int]:
    counted = (
        select(Destination.hold, func.count())
        .where(Destination.hold.is_not(None), Destination.closed_at.is_(None))
        .group_by(Destination.hold)
    )
    return {hold: number for hold, number in session.execute(counted) if hold is not None}


def _waiting(session: Session) -> int:
    lag = func.coalesce(func.sum(Stream.head_seq - Destination.cursor_seq), 0)
    chosen = select(lag).select_from(Destination).join(Stream, Stream.id == Destination.stream_id)
    return int(session.execute(chosen.where(Destination.closed_at.is_(None))).scalar_one())


def _open_dead_letters(session: Session) -> int:
    chosen = select(func.count()).select_from(DeadLetter).where(DeadLetter.state == DeadLetterState.OPEN)
    return session.execute(chosen).scalar_one()
