"""Credentials: the secrets of a Connection, sealed, with the schedule that keeps them alive."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.lib import clock
from webapp.lib.ids import uuid7
from webapp.models.base import Base, enum_column


class CredentialKind(StrEnum):
    """What a Credential is to the vendor."""

    #: access and refresh token of one scope: kept alive by Refresh
    GRANT = "grant"
    #: a token that a person pasted and that does not expire by itself
    API_TOKEN = "api_token"  # noqa: S105 - a word of the glossary, not a secret
    #: the key that events of one Environment are sent with
    INGEST_KEY = "ingest_key"


class Credential(Base):
    """One secret of a Connection. `sealed` holds a JSON object of strings, bound to row and Connection."""

    __tablename__ = "credentials"
    __table_args__ = (
        UniqueConstraint("connection_id", "slot"),
        Index(
            "ix_credentials_refresh_at",
            "refresh_at",
            postgresql_where=text("refresh_at IS NOT NULL"),
            sqlite_where=text("refresh_at IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    environment_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("environments.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[CredentialKind] = mapped_column(enum_column(CredentialKind))
    scope: Mapped[str] = mapped_column(default="")
    #: `kind:scope:environment`, so that a NULL environment is unique too on both databases
    slot: Mapped[str]
    #: null once wiped
    sealed: Mapped[bytes | None]
    #: the vault key it is sealed under
    key_id: Mapped[str]
    fingerprint: Mapped[str]
    #: goes up with every change of the secret; what compare-and-set compares
    generation: Mapped[int] = mapped_column(default=1)
    issued_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime | None]
    #: the one clock of Refresh: past = due, future = later, or leased until then; null = never
    refresh_at: Mapped[datetime | None]
    lease: Mapped[UUID | None]
    #: since when a refresh may be out whose answer is not here: written before every call, kept until an
    #: answer says what became of it
    asked_at: Mapped[datetime | None]
    #: when the vendor last gave another refresh token at a refresh: each of those works once
    rotated_at: Mapped[datetime | None]
    #: tries in a row that failed
    failures: Mapped[int] = mapped_column(default=0)
    #: when the vendor first refused the refresh token, until it is confirmed or mended
    refused_at: Mapped[datetime | None]
    #: the vendor's words at the last failure, capped
    words: Mapped[str | None]
    refreshed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class Revocation(Base):
    """What a disconnect has still to give back to the vendor: all that it leaves sealed, for three days."""

    __tablename__ = "revocations"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), index=True)
    #: like a credential's; the row is deleted when it is given back, or given up
    sealed: Mapped[bytes]
    #: past = due, future = later, or leased until then
    due_at: Mapped[datetime] = mapped_column(index=True)
    lease: Mapped[UUID | None]
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
