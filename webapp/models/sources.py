"""Sources: senders outside the host app that sign what they send."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from webapp.lib import clock
from webapp.lib.ids import uuid7
from webapp.models.base import Base


class Source(Base):
    """What GitHub, say, sends for one User. Its address holds the id; what it sends its secret signs."""

    __tablename__ = "sources"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    #: who sends: `github`
    kind: Mapped[str]
    name: Mapped[str]
    #: the secret, and the one before it while that still signs; null once it ended
    sealed: Mapped[bytes | None]
    #: until when the secret before this one is good too
    previous_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    #: when something with a good signature came last
    used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
