"""What the instance remembers of itself: audit, breakers, paces, its place, and which processes live."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.lib import clock
from webapp.lib.ids import uuid7
from webapp.models.base import Base, BigId


class AuditLine(Base):
    """Who did what to which thing. A Connection's timeline is its audit lines."""

    __tablename__ = "audit_lines"
    __table_args__ = (
        Index("ix_audit_lines_connection_id", "connection_id", "id"),
        Index("ix_audit_lines_at", "at"),
        Index(
            "ix_audit_lines_unsealed",
            "id",
            postgresql_where=text("chain_no IS NULL"),
            sqlite_where=text("chain_no IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    #: `user:<id>`, `key:<prefix>` or `hitchpost`
    actor: Mapped[str]
    #: `connection.refreshed`, `install.confirmed`, …: see core.audit.Act
    act: Mapped[str]
    #: `connection:<id>`, …: the thing it was done to
    object: Mapped[str]
    #: no foreign key: the line outlives the connection
    connection_id: Mapped[UUID | None]
    #: one sentence; may hold the vendor's words, capped; never a secret
    detail: Mapped[str | None]
    #: its place in the chain, without gaps; null until it is sealed
    chain_no: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    #: keyed digest of the detail, so that the words can be erased and the chain still holds
    detail_mac: Mapped[bytes | None]
    #: keyed digest of this line and of the mac before it
    mac: Mapped[bytes | None]


class AuditHead(Base):
    """Where the chain of audit lines ends, and the key that its macs are made with: one row."""

    __tablename__ = "audit_head"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    #: the chain's key, sealed like every other secret
    sealed: Mapped[bytes]
    chain_no: Mapped[int] = mapped_column(BigInteger, default=0)
    mac: Mapped[bytes]


class Instance(Base):
    """Where this database was when it was last known to be itself, and whether it is held: one row."""

    __tablename__ = "instance"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    #: see webapp.lib.whereabouts
    place: Mapped[str]
    #: SQLite: what is also in the file beside it
    stamp: Mapped[str | None]
    #: restored or copied: nobody is called since then
    held_at: Mapped[datetime | None]
    reason: Mapped[str | None]


class Breaker(Base):
    """Stops calls that would all fail alike: one row per (scope, key), shared by every process."""

    __tablename__ = "breakers"

    #: `client`: a Client whose secret is refused, or whose vendor asks us to slow down
    #: `host`: a vendor's host, with its port, that does not answer
    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    #: no call before this moment but one probe
    open_until: Mapped[datetime]
    failures: Mapped[int] = mapped_column(default=0)
    #: the vendor's words, capped
    incident: Mapped[str | None]
    since: Mapped[datetime] = mapped_column(default=clock.now)
    #: the only one that failed so far; null: several, or it is not kept
    charged_by: Mapped[UUID | None]


class Pace(Base):
    """How fast one Client's grants are refreshed, by all processes together."""

    __tablename__ = "paces"

    client_key: Mapped[str] = mapped_column(primary_key=True)
    #: no refresh goes out before this moment; whoever takes it moves it on
    next_at: Mapped[datetime]


class Process(Base):
    """A process of ours that was seen alive: what `/readyz` asks."""

    __tablename__ = "processes"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    #: `web`, `worker` or `beat`
    kind: Mapped[str]
    host: Mapped[str]
    seen_at: Mapped[datetime] = mapped_column(default=clock.now)
