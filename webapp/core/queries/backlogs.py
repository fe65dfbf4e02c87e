"""Backlogs as people see them: how much waits for a user's slowest destination, beside the most that may."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.core.events.backlogs import WARNED_SHARE, Load, measure
from webapp.core.runtime import Runtime
from webapp.models import Destination, Stream, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """One user's."""

    user_id: UUID
    #: for people
    owner: str
    events: int
    bytes: int
    most_events: int
    most_bytes: int

    @property
    def share(self) -> float:
        """How full it is: at 1.0 new events are refused."""
        return Load(self.events, self.bytes).share(Load(self.most_events, self.most_bytes))

    @property
    def nears_limit(self) -> bool:
        """Whether its user and the admins are told."""
        return self.share >= WARNED_SHARE


def backlog_of(runtime: Runtime, session: Session, user_id: UUID) -> Backlog:
    """How much waits for that user, and may. A few small reads, however much it is."""
    name = func.coalesce(User.external_id, User.email)
    owner = session.execute(select(name).where(User.id == user_id)).scalar_one()
    load, settings = measure(session, user_id), runtime.settings
    return Backlog(
        user_id=user_id,
        owner=owner,
        events=load.events,
        bytes=load.bytes,
        most_events=settings.backlog_events,
        most_bytes=settings.backlog_bytes,
    )


def fullest_backlog(runtime: Runtime, session: Session) -> Backlog | None:
    """That of the user for whom most events wait; None when nobody has a destination."""
    lag = Stream.head_seq - Destination.cursor_seq
    query = select(Stream.user_id).join(Destination, Destination.stream_id == Stream.id)
    query = query.where(Destination.closed_at.is_(None)).order_by(lag.desc()).limit(1)
    user_id = session.scalar(query)
    return None if user_id is None else backlog_of(runtime, session, user_id)
