"""Retention: what is old and read by all goes; what has waited too long at a held destination expires.

An event is kept for seven days, and longer while an open destination has not passed it, so that its identity
outlives every sensible retry and a rewind has something to go back to.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from webapp.core import notices, restores
from webapp.core.destinations.rows import connection_of
from webapp.core.runtime import Runtime
from webapp.core.streams import attempts, rows
from webapp.core.streams.searching import first_since
from webapp.lib.database import db_time
from webapp.models import Attempt, Destination, Event, Notice, Stream

KEPT = timedelta(days=7)
#: a destination may stand still this long before what waits there expires; its owner is warned a week before
HELD, NOTICE = timedelta(days=30), timedelta(days=7)
WARNED = HELD - NOTICE
_ATTEMPTS_KEPT = timedelta(days=30)
#: rows that one transaction deletes, and streams that one sweep looks at
_MOST_ROWS, _MOST_STREAMS = 1_000, 200


def sweep(runtime: Runtime) -> None:
    """One round, in short transactions; what is left over is for the next."""
    if restores.is_held(runtime):
        return
    _expire_held(runtime)
    with runtime.database.read() as session:
        stream_ids = _overdue_streams(session)
    for stream_id in stream_ids:
        with runtime.database.write() as session:
            _trim(session, stream_id)
    with runtime.database.write() as session:
        _forget_attempts(session)


def _overdue_streams(session: Session) -> list[UUID]:
    """Streams whose oldest kept event is older than it need be."""
    query = (
        select(Stream.id)
        .join(Event, (Event.stream_id == Stream.id) & (Event.seq == Stream.tail_seq))
        .where(Event.accepted_at < select(db_time(-KEPT.total_seconds())).scalar_subquery())
        .limit(_MOST_STREAMS)
    )
    return list(session.scalars(query))


def _trim(session: Session, stream_id: UUID) -> None:
    """Delete the oldest events that every open destination has passed."""
    head = rows.lock(session.connection(), [stream_id]).get(stream_id)
    if head is None:
        return
    slowest = session.scalar(
        select(func.min(Destination.cursor_seq)).where(
            Destination.stream_id == stream_id, Destination.closed_at.is_(None)
        )
    )
    young = first_since(session, stream_id, head, head.now - KEPT) or head.seq + 1
    last = min(head.seq if slowest is None else slowest, young - 1, head.tail_seq + _MOST_ROWS - 1)
    if last < head.tail_seq:
        return
    passed = delete(Event).where(Event.stream_id == stream_id, Event.seq.between(head.tail_seq, last))
    session.execute(passed, execution_options={"synchronize_session": False})
    session.execute(update(Stream).where(Stream.id == stream_id).values(tail_seq=last + 1))


def _expire_held(runtime: Runtime) -> None:
    query = (
        select(Destination.id, Destination.stream_id)
        .join(Stream, Stream.id == Destination.stream_id)
        .where(
            Destination.held_at < select(db_time(-WARNED.total_seconds())).scalar_subquery(),
            Destination.closed_at.is_(None),
            Destination.cursor_seq < Stream.head_seq,
        )
        # Those that were warned are found again: by chance, so that they keep nobody from being looked at.
        .order_by(func.random())
        .limit(_MOST_STREAMS)
    )
    with runtime.database.read() as session:
        held = session.execute(query).all()
    for destination_id, stream_id in held:
        with runtime.database.write() as session:
            _warn_or_expire(session, destination_id, rows.lock(session.connection(), [stream_id])[stream_id])


def _warn_or_expire(session: Session, destination_id: UUID, head: rows.Head) -> None:
    destination = session.get_one(Destination, destination_id, with_for_update=True)
    if destination.held_at is None or destination.closed_at is not None:
        return
    told_at = _told_at(session, destination)
    if told_at is None:
        _warn(session, destination, max(destination.held_at + HELD, head.now + NOTICE))
        return
    if max(destination.held_at + HELD, told_at + NOTICE) > head.now:
        return
    young = first_since(session, destination.stream_id, head, head.now - HELD) or head.seq + 1
    count = young - 1 - destination.cursor_seq
    if count > 0:
        seqs = range(destination.cursor_seq + 1, young)
        words = f"given up: waited {HELD.days} days at a destination that stood still"
        attempts.record(session, destination.id, [attempts.expiry(seqs, words)])
        destination.cursor_seq += count
        destination.expired += count
        destination.lease_token = None


def _told_at(session: Session, destination: Destination) -> datetime | None:
    """When its owner was told what will expire."""
    return session.scalar(select(Notice.created_at).where(Notice.dedupe_key == _warning_of(destination)))


def _warning_of(destination: Destination) -> str:
    held_at = destination.held_at
    return f"expiry:{destination.id}:{held_at.isoformat() if held_at else ''}"


def _warn(session: Session, destination: Destination, ends_at: datetime) -> None:
    connection = connection_of(session, destination.environment_id)
    notices.tell(
        session,
        dedupe_key=_warning_of(destination),
        kind="destination.expiry",
        text=f"{connection.label}: {destination.kind} has stood still since {destination.held_at:%d %B %Y}. "
        f"From {ends_at:%d %B %Y} on, events that have waited {HELD.days} days are given up. Release it, or "
        "disconnect it.",
        user_id=connection.user_id,
        connection_id=connection.id,
    )


def _forget_attempts(session: Session) -> None:
    """The oldest rows go, looked at by their ids, which have the order of time."""
    oldest = select(Attempt.id).order_by(Attempt.id).limit(_MOST_ROWS)
    old = delete(Attempt).where(
        Attempt.id.in_(oldest), Attempt.ended_at < db_time(-_ATTEMPTS_KEPT.total_seconds())
    )
    session.execute(old, execution_options={"synchronize_session": False})
