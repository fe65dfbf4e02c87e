"""What is kept of a user's events: what a new destination may begin with."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.models import Event, Stream


@dataclass(frozen=True, slots=True)
class Kept:
    """How many, and when the first of them was accepted."""

    events: int
    since: datetime | None


def read_kept(session: Session, user_id: UUID) -> Kept:
    """Two small reads, however many are kept."""
    stream = session.scalar(select(Stream).where(Stream.user_id == user_id))
    if stream is None or stream.head_seq < stream.tail_seq:
        return Kept(0, None)
    first = select(Event.accepted_at).where(Event.stream_id == stream.id, Event.seq == stream.tail_seq)
    return Kept(stream.head_seq - stream.tail_seq + 1, session.scalar(first))
