"""Searching a stream by time: there is no index on it, and none is needed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core.streams.rows import Head
from webapp.models import Event


def first_since(session: Session, stream_id: UUID, head: Head, moment: datetime) -> int | None:
    """The first seq accepted at `moment` or later, None when there is none.

    The caller holds the stream's lock. Found by halves along the key: times of acceptance never fall along
    a stream.
    """
    low, high = head.tail_seq, head.seq + 1
    while low < high:
        middle = (low + high) // 2
        query = select(Event.accepted_at).where(Event.stream_id == stream_id, Event.seq == middle)
        at = session.execute(query).scalar_one()
        low, high = (low, middle) if at >= moment else (middle + 1, high)
    return low if low <= head.seq else None
