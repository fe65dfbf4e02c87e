"""Connections, the accounts they speak for, and those accounts' environments."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.lib import clock
from webapp.lib.ids import uuid7
from webapp.models.base import Base, enum_column


class ConnectionState(StrEnum):
    """How a Connection is."""

    ACTIVE = "active"
    #: works, but something needs a look
    DEGRADED = "degraded"
    #: the user must act
    NEEDS_RECONNECT = "needs_reconnect"
    #: its owner or an admin stopped it
    PAUSED = "paused"
    #: ended; nothing sealed is left
    DISCONNECTED = "disconnected"


class EnvironmentState(StrEnum):
    """Whether the vendor still lists an Environment."""

    PRESENT = "present"
    #: gone from the vendor's list since `missing_since`; its key is kept for 72 h
    MISSING = "missing"


class Connection(Base):
    """The lasting link between a User and one account at a provider."""

    __tablename__ = "connections"
    __table_args__ = (
        Index("ix_connections_environments_due_at", "environments_due_at"),
        Index("ix_connections_state", "state", "id"),
        Index("ix_connections_user_id", "user_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[str]
    client_key: Mapped[str]
    #: the account, in a person's words: what lists show and search finds
    label: Mapped[str]
    state: Mapped[ConnectionState] = mapped_column(enum_column(ConnectionState))
    #: one sentence on why it is not simply active
    reason: Mapped[str | None]
    #: what the provider needs to remember of this account (a host, a role); never a secret
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: when the vendor's list of environments is to be fetched; null: not at all
    environments_due_at: Mapped[datetime | None]
    environments_fetched_at: Mapped[datetime | None]
    environments_failures: Mapped[int] = mapped_column(default=0)
    environments_lease: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    disconnected_at: Mapped[datetime | None]


class Account(Base):
    """The vendor-side identity a Connection speaks for. Held by one Connection at a time."""

    __tablename__ = "accounts"
    __table_args__ = (
        Index(
            "uq_accounts_held",
            "provider",
            "account_key",
            unique=True,
            postgresql_where=text("released_at IS NULL"),
            sqlite_where=text("released_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), index=True)
    provider: Mapped[str]
    account_key: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    released_at: Mapped[datetime | None]


class Environment(Base):
    """The vendor's own environment, inside an Account."""

    __tablename__ = "environments"
    __table_args__ = (UniqueConstraint("account_id", "vendor_key"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    vendor_key: Mapped[str]
    state: Mapped[EnvironmentState] = mapped_column(
        enum_column(EnvironmentState), default=EnvironmentState.PRESENT
    )
    missing_since: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
