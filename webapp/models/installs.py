"""Installs: attempts to connect, from the first click to the confirmed link."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.lib import clock
from webapp.lib.ids import uuid7
from webapp.models.base import Base, enum_column


class InstallState(StrEnum):
    """Where an Install stands."""

    #: Connect was pressed here; ten minutes to come back with a code
    INTENT = "intent"
    #: the code is here, sealed, and nobody exchanges it yet
    RECEIVED = "received"
    #: one holder is trading the code for a grant
    EXCHANGING = "exchanging"
    #: the grant is here, sealed and inert, until its owner confirms; 15 minutes
    PENDING = "pending"
    #: a one-time code went into each workspace and is to be typed back
    PROVING = "proving"
    #: at least one workspace was proven; confirm with a fresh sign-in
    PROVEN = "proven"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


#: States that can still move; the rest are ends, with nothing sealed left.
OPEN_STATES = frozenset(
    {
        InstallState.INTENT,
        InstallState.RECEIVED,
        InstallState.EXCHANGING,
        InstallState.PENDING,
        InstallState.PROVING,
        InstallState.PROVEN,
    }
)


class Install(Base):
    """One attempt to connect. It holds a sealed, inert pending grant until its owner confirms."""

    __tablename__ = "installs"
    __table_args__ = (
        Index(
            "uq_installs_open_intent",
            "session_id",
            unique=True,
            postgresql_where=text("state = 'intent'"),
            sqlite_where=text("state = 'intent'"),
        ),
        Index("ix_installs_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    state: Mapped[InstallState] = mapped_column(enum_column(InstallState))
    provider: Mapped[str]
    client_key: Mapped[str]
    #: the owner, once known
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    #: the session it belongs to, once known
    session_id: Mapped[UUID | None] = mapped_column(ForeignKey("sessions.id", ondelete="SET NULL"))
    #: SHA-256 of the candidate cookie of the browser that brought the code without a session
    binding_hash: Mapped[bytes | None]
    #: SHA-256 of the state that its answer must bring; null where the vendor knows no state
    state_digest: Mapped[bytes | None]
    #: keyed digest of the code: one code, one Install
    code_hmac: Mapped[bytes | None] = mapped_column(unique=True)
    #: the vault key that digest was made with
    code_key_id: Mapped[str | None]
    #: set once at the callback; can only fall to False
    solicited: Mapped[bool] = mapped_column(default=False)
    #: the connection that a reconnect is for
    connection_id: Mapped[UUID | None] = mapped_column(ForeignKey("connections.id", ondelete="SET NULL"))
    #: sealed: what an intent's answer is held to, then the code, then the grant; null at every end
    sealed: Mapped[bytes | None]
    #: who is exchanging the code, so that a second holder is fenced
    lease: Mapped[UUID | None]
    #: what the page shows: workspaces and environments, no keys
    listing: Mapped[list[Any] | None]
    #: what the vendor was found to say of a paste, in sentences for its owner
    findings: Mapped[list[str] | None]
    #: per workspace {"digest": hex, "proven": bool}
    proofs: Mapped[dict[str, Any] | None]
    tries: Mapped[int] = mapped_column(default=0)
    #: why it ended: a key of core.installs.Ending
    ending: Mapped[str | None]
    #: the vendor's words, capped
    words: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    received_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
