"""Notices, the errands that carry them out of the house, and the incidents that they are about."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.lib import clock
from webapp.lib.ids import uuid7
from webapp.models.base import Base, enum_column


class Notice(Base):
    """Something a person is to be told, once: `dedupe_key` makes it once."""

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_user_id", "user_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    dedupe_key: Mapped[str] = mapped_column(unique=True)
    #: null: for all admins
    user_id: Mapped[UUID | None]
    connection_id: Mapped[UUID | None]
    kind: Mapped[str]
    text: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    #: when its reader put it away
    read_at: Mapped[datetime | None]


class Way(StrEnum):
    """How something leaves the house."""

    MAIL = "mail"
    WEBHOOK = "webhook"


class ErrandState(StrEnum):
    """What became of an Errand."""

    #: to be sent at `due_at`, or being sent
    WAITING = "waiting"
    SENT = "sent"
    #: refused for good, or tried in vain for three days
    GIVEN_UP = "given_up"
    #: this instance has no such way
    NOT_SET_UP = "not_set_up"
    #: what it was to say was over before it left
    WITHDRAWN = "withdrawn"


class Errand(Base):
    """One mail to one person, or one webhook to the host app. Its id is what the receiver knows it by."""

    __tablename__ = "errands"
    __table_args__ = (
        Index(
            "ix_errands_due_at",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
            sqlite_where=text("due_at IS NOT NULL"),
        ),
        Index("ix_errands_connection_id", "connection_id", "id"),
        Index("ix_errands_notice_id", "notice_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    #: what makes it once
    dedupe_key: Mapped[str] = mapped_column(unique=True)
    way: Mapped[Way] = mapped_column(enum_column(Way))
    #: of a mail the kind of its notice, of a webhook its type: see core.notices.kinds
    kind: Mapped[str]
    #: null: news that no page shows
    notice_id: Mapped[UUID | None] = mapped_column(ForeignKey("notices.id", ondelete="CASCADE"))
    #: whom a mail goes to
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    connection_id: Mapped[UUID | None]
    #: what a webhook tells, but for its link; never a secret
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[ErrandState] = mapped_column(enum_column(ErrandState), default=ErrandState.WAITING)
    #: its only clock: past = due, future = later, or leased until then; null = settled
    due_at: Mapped[datetime | None]
    lease: Mapped[UUID | None]
    tries: Mapped[int] = mapped_column(default=0)
    first_tried_at: Mapped[datetime | None]
    #: the last answer: a status of HTTP or a reply code of SMTP; null: none came
    status: Mapped[int | None]
    #: … and its words, capped
    answer: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    settled_at: Mapped[datetime | None]


class Incident(Base):
    """A trouble from its beginning to its end, of one connection or of a Client's vendor: told once."""

    __tablename__ = "incidents"
    __table_args__ = (
        Index(
            "uq_incidents_open",
            "subject",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
            sqlite_where=text("closed_at IS NULL"),
        ),
        Index(
            "ix_incidents_due_at",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
            sqlite_where=text("due_at IS NOT NULL"),
        ),
        Index("ix_incidents_client_key", "client_key", "closed_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    #: `connection:<id>` or `client:<key>`
    subject: Mapped[str]
    connection_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("connections.id", ondelete="CASCADE"), index=True
    )
    client_key: Mapped[str]
    provider: Mapped[str]
    #: the vendor gives no usable answer: many of these at one Client are one incident of the vendor
    of_vendor: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str | None]
    began_at: Mapped[datetime]
    #: when a worker looks at it next, to tell or to close it; null: not before something changes
    due_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    #: all is well since; a trouble that comes back soon is the same incident
    over_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
