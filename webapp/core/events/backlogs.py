"""Backlogs: how much of a user's stream waits for the slowest of its destinations, and the cap on that.

Nothing is counted. A stream knows how many events and bytes it took, and each event how many bytes that were
with it; so a backlog is two subtractions from where the slowest destination is. Where that was when it was
last looked up, the floor, is in the stream's row, read with its lock anyway; it is looked up again only when
the backlog beyond it nears the cap. The floor never sinks: what all had settled once counts no more, though
it may be sent again.
"""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, func, select, update
from sqlalchemy.orm import Session

from webapp.core import notices
from webapp.core.streams.rows import Head
from webapp.errors import BacklogFull
from webapp.lib.database import db_time
from webapp.models import Destination, Event, Stream, User

#: From this share of the cap on it is shown and told.
WARNED_SHARE = 0.8
#: A backlog at its cap is looked at again after so long, in seconds.
RETRY_AFTER = 10.0


class Load(NamedTuple):
    """So many events, and the bytes of their bodies: of a backlog, or the most that one may have."""

    events: int
    bytes: int

    def share(self, most: "Load") -> float:
        """How much of `most` that is, by whichever is nearer: 1.0 is all of it."""
        return max(self.events / most.events, self.bytes / most.bytes)


def admit(
    connection: Connection, most: Load, heads: Mapping[UUID, Head], reached: Mapping[UUID, Load]
) -> dict[UUID, float]:
    """Which of these locked streams are nearly full once they took what they are to take, and how full.

    `reached`: the seq and bytes of each after that. Whoever nears the cap is told once a day, and so are the
    admins. Raises BacklogFull for the first that would go past it.
    """
    crowded = {}
    for stream_id, after in reached.items():
        floor = Load(heads[stream_id].floor_seq, heads[stream_id].floor_bytes)
        if _beyond(after, floor).share(most) < WARNED_SHARE:
            continue
        backlog = _beyond(after, _lift_floor(connection, stream_id, after, floor))
        if backlog.share(most) > 1.0:
            raise BacklogFull(_full(backlog, most), stream_id=stream_id, retry_after=RETRY_AFTER)
        if backlog.share(most) >= WARNED_SHARE:
            crowded[stream_id] = backlog.share(most)
            with Session(connection) as session:
                _tell(session, stream_id, backlog, most)
                session.flush()
    return crowded


def measure(session: Session, user_id: UUID) -> Load:
    """The backlog of that user now."""
    stream = session.scalars(select(Stream).where(Stream.user_id == user_id)).one_or_none()
    if stream is None:
        return Load(0, 0)
    head, floor = Load(stream.head_seq, stream.bytes_in), Load(stream.floor_seq, stream.floor_bytes)
    return _beyond(head, _find_floor(session.connection(), stream.id, head, floor))


def _beyond(head: Load, floor: Load) -> Load:
    return Load(head.events - floor.events, head.bytes - floor.bytes)


def _lift_floor(connection: Connection, stream_id: UUID, head: Load, floor: Load) -> Load:
    found = _find_floor(connection, stream_id, head, floor)
    if found != floor:
        connection.execute(
            update(Stream)
            .where(Stream.id == stream_id)
            .values(floor_seq=found.events, floor_bytes=found.bytes)
        )
    return found


def _find_floor(connection: Connection, stream_id: UUID, head: Load, floor: Load) -> Load:
    """Where the slowest open destination is; the floor as it was if that is not higher."""
    slowest = connection.scalar(
        select(func.min(Destination.cursor_seq)).where(
            Destination.stream_id == stream_id, Destination.closed_at.is_(None)
        )
    )
    if slowest is None:
        slowest = connection.scalar(select(Stream.head_seq).where(Stream.id == stream_id)) or 0
    if slowest <= floor.events:
        return floor
    # The next one says how much came before it; without one, all that is stored is settled.
    next_ = (
        select(func.coalesce(Event.bytes_in - func.length(Event.body), 0))
        .where(Event.stream_id == stream_id, Event.seq > slowest)
        .order_by(Event.seq)
        .limit(1)
    )
    total = select(Stream.bytes_in).where(Stream.id == stream_id)
    before = connection.scalar(next_)
    return Load(slowest, (connection.scalar(total) or 0) if before is None else before)


def _full(backlog: Load, most: Load) -> str:
    return (
        f"The backlog of this user would be {_said(backlog)}, and may be {_said(most)}; nothing was stored. "
        "A destination of theirs takes nothing, or too slowly: its page says why. "
        "Send the same request again once it has caught up."
    )


def _said(load: Load) -> str:
    return f"{load.events:,} events of {load.bytes:,} bytes"


def _tell(session: Session, stream_id: UUID, backlog: Load, most: Load) -> None:
    query = select(User.id, func.coalesce(User.external_id, User.email), db_time())
    user_id, name, now = session.execute(
        query.join(Stream, Stream.user_id == User.id).where(Stream.id == stream_id)
    ).one()
    text = (
        f"{_said(backlog)} wait for a destination of {name}, and the most is {_said(most)}. Nothing is lost; "
        "beyond that, new events of this user are refused with 429 until a destination has caught up. Look "
        "why it takes nothing, or disconnect it if it is not needed any more."
    )
    for reader in (user_id, None):
        key = f"backlog:{stream_id}:{now:%Y-%m-%d}:{'owner' if reader else 'admins'}"
        notices.tell(session, dedupe_key=key, kind="backlog.filling", text=text, user_id=reader)
