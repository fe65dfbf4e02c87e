"""What goes with a user, counted before anybody says yes to it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from webapp.core import users
from webapp.core.deletion.belongings import connections_of, destinations_of
from webapp.models import ApiKey, Connection, ConnectionState, DeadLetter, Destination, Source, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What there is of a user."""

    id: UUID
    label: str
    #: those that have not ended, and all
    open_connections: int
    connections: int
    destinations: int
    #: kept here, and how often one of them is still to be delivered
    events: int
    waiting: int
    dead_letters: int
    sources: int
    api_keys: int
    #: since when they are being deleted
    begun_at: datetime | None


def read_loss(session: Session, user_id: UUID) -> Loss:
    """What is there of this user now. Raises NotFound."""
    user = users.get(session, user_id)
    theirs = destinations_of(user_id)
    still_open = Connection.state != ConnectionState.DISCONNECTED
    kept = select(func.coalesce(func.sum(Stream.head_seq - Stream.tail_seq + 1), 0))
    behind = select(func.coalesce(func.sum(Stream.head_seq - Destination.cursor_seq), 0))
    behind = behind.select_from(Destination).join(Stream, Stream.id == Destination.stream_id)
    return Loss(
        id=user_id,
        label=user.label,
        open_connections=_count(session, connections_of(user_id).where(still_open)),
        connections=_count(session, connections_of(user_id)),
        destinations=_count(session, theirs.where(Destination.closed_at.is_(None))),
        events=_sum(session, kept.where(Stream.user_id == user_id)),
        waiting=_sum(session, behind.where(Destination.id.in_(theirs), Destination.closed_at.is_(None))),
        dead_letters=_count(session, select(DeadLetter.id).where(DeadLetter.destination_id.in_(theirs))),
        sources=_count(session, select(Source.id).where(Source.user_id == user_id)),
        api_keys=_count(session, select(ApiKey.id).where(ApiKey.user_id == user_id)),
        begun_at=user.deleting_at,
    )


def _count(session: Session, query: Select[UUID]) -> int:
    return _sum(session, select(func.count()).select_from(query.subquery()))


def _sum(session: Session, query: Select[int]) -> int:
    return int(session.execute(query).scalar_one())
