"""Streams, their events, and the destinations that read them on."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from webapp.lib import clock
from webapp.lib.ids import uuid7
from webapp.models.base import Base, BigId, enum_column


class Hold(StrEnum):
    """Why a Destination stands still. It alone gates delivery."""

    #: its owner or an admin stopped it
    PAUSED = "paused"
    #: the vendor refuses the ingest key, and a fresh list has no other
    KEY_REFUSED = "key_refused"
    #: no success for 72 hours
    FAILING = "failing"
    #: its environment is gone at the vendor
    GONE = "gone"
    #: its connection ended
    DISCONNECTED = "disconnected"


class Stream(Base):
    """A User's events in order. `head_seq` is the last seq given, `tail_seq` the first one kept."""

    __tablename__ = "streams"
    __table_args__ = {"postgresql_with": {"fillfactor": 50}}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    head_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    tail_seq: Mapped[int] = mapped_column(BigInteger, default=1)
    last_accepted_at: Mapped[datetime | None]
    #: the bytes of all bodies that it ever took
    bytes_in: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    #: all its destinations had settled so much when that was last looked up (core.events.backlogs)
    floor_seq: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    floor_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))


class Event(Base):
    """A fact accepted from the host app for one User. Never changed."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("stream_id", "key_hash"),)

    stream_id: Mapped[UUID] = mapped_column(ForeignKey("streams.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    #: of (source, id), the identity inside the stream (core.events.drafts)
    key_hash: Mapped[bytes]
    #: SHA-256 of the item as the client sent it, before defaults
    digest: Mapped[bytes]
    type: Mapped[str]
    source: Mapped[str]
    subject: Mapped[str | None]
    #: `start`, `stop` or null
    state: Mapped[str | None]
    time: Mapped[datetime]
    accepted_at: Mapped[datetime]
    #: the outgoing envelope, exact JSON in UTF-8: batches join it, nobody parses it again
    body: Mapped[bytes]
    #: the bytes of its stream's bodies up to and with this one; null: from before that was kept
    bytes_in: Mapped[int | None] = mapped_column(BigInteger)


class Destination(Base):
    """Where a Stream goes: one Environment, one kind. Holds the Cursor.

    `due_at` is the only clock: null = idle or held, past = due, future = backing off, or leased until then.
    Ledger: head - origin + rewound = delivered + filtered + dead + expired + (head - cursor).
    """

    __tablename__ = "destinations"
    __table_args__ = (
        CheckConstraint("hold IS NULL OR due_at IS NULL", name="held_is_not_due"),
        Index(
            "ix_destinations_due_at",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
            sqlite_where=text("due_at IS NOT NULL"),
        ),
        Index("ix_destinations_stream_id", "stream_id"),
        Index(
            "ix_destinations_awaits_host",
            "host",
            "failures",
            postgresql_where=text("awaits_host"),
            sqlite_where=text("awaits_host"),
        ),
        UniqueConstraint("environment_id", "kind"),
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    environment_id: Mapped[UUID] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    stream_id: Mapped[UUID] = mapped_column(ForeignKey("streams.id", ondelete="CASCADE"))
    #: endpoint and encoder, `baselime.events`
    kind: Mapped[str]
    #: what the encoder needs, and what every kind has: `types`, `where`, `mapping`, `fresh_for`
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    settings_version: Mapped[int] = mapped_column(default=1)
    hold: Mapped[Hold | None] = mapped_column(enum_column(Hold))
    held_at: Mapped[datetime | None]
    #: one sentence on why it stands still or fails: the vendor's words, capped
    reason: Mapped[str | None]
    due_at: Mapped[datetime | None]
    lease_token: Mapped[UUID | None]
    lease_owner: Mapped[str | None]
    #: where its last request went, with the port; null: it has made none yet
    host: Mapped[str | None]
    #: `due_at` is a wait for that host alone: it ends when the host answers anybody
    awaits_host: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: its last answer took long: it has its turns among others like it
    slow: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: a request may be under way or its answer lost: the next one may repeat events
    unsure: Mapped[bool] = mapped_column(default=False)
    cursor_seq: Mapped[int] = mapped_column(BigInteger)
    origin_seq: Mapped[int] = mapped_column(BigInteger)
    #: up to this seq expiry and freshness do not apply: rewound or backfilled
    exempt_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    delivered: Mapped[int] = mapped_column(BigInteger, default=0)
    filtered: Mapped[int] = mapped_column(BigInteger, default=0)
    dead: Mapped[int] = mapped_column(BigInteger, default=0)
    expired: Mapped[int] = mapped_column(BigInteger, default=0)
    rewound: Mapped[int] = mapped_column(BigInteger, default=0)
    #: dead letters queued for replay
    queued: Mapped[int] = mapped_column(default=0)
    #: tries in a row that failed
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None]
    #: how many events the next batch may take while a poison event is looked for; null: no limit
    batch_limit: Mapped[int | None]
    #: settings version and key generation, `v:g`, at the last event taken: the witness of a rejection
    witness: Mapped[str | None]
    last_delivered_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    #: when its connection ended; kept for the record
    closed_at: Mapped[datetime | None]


class AttemptOutcome(StrEnum):
    """What became of a run of requests."""

    DELIVERED = "delivered"
    #: some or all events were refused for good
    REJECTED = "rejected"
    #: to be tried again
    RETRY = "retry"
    #: the answer was lost: possibly delivered, sent again
    POSSIBLY_DELIVERED = "possibly_delivered"
    #: the holder was gone before it could settle
    INTERRUPTED = "interrupted"
    #: the key was refused
    KEY_REFUSED = "key_refused"
    #: no request: the events came later than the destination's freshness limit
    EXPIRED = "expired"


class Attempt(Base):
    """A run of consecutive requests of one Destination with one outcome."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_destination_id", "destination_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    destination_id: Mapped[UUID] = mapped_column(ForeignKey("destinations.id", ondelete="CASCADE"))
    first_seq: Mapped[int] = mapped_column(BigInteger)
    last_seq: Mapped[int] = mapped_column(BigInteger)
    events: Mapped[int]
    requests: Mapped[int] = mapped_column(default=1)
    outcome: Mapped[AttemptOutcome] = mapped_column(enum_column(AttemptOutcome))
    #: the vendor's HTTP status at the last request; null: no answer
    status: Mapped[int | None]
    #: spent at the vendor, all requests together
    milliseconds: Mapped[int]
    #: the vendor's words, capped
    words: Mapped[str | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]


class DeadLetterState(StrEnum):
    """What became of a Dead letter. A destination's `dead` counts all four."""

    OPEN = "open"
    #: to be sent again at the next turn; still counted as open
    QUEUED = "queued"
    REPLAYED = "replayed"
    DISCARDED = "discarded"
    #: a rewind sends it anew
    SUPERSEDED = "superseded"


class DeadLetter(Base):
    """An Event that one Destination could not take, with the reason and a copy of its body."""

    __tablename__ = "dead_letters"
    __table_args__ = (
        Index("ix_dead_letters_destination_id", "destination_id", "seq"),
        Index("ix_dead_letters_destination_id_state", "destination_id", "state"),
        # After a rewind an event may die again: its earlier row stays for the ledger.
        Index(
            "uq_dead_letters_open",
            "destination_id",
            "seq",
            unique=True,
            postgresql_where=text("state IN ('open', 'queued')"),
            sqlite_where=text("state IN ('open', 'queued')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    destination_id: Mapped[UUID] = mapped_column(ForeignKey("destinations.id", ondelete="CASCADE"))
    seq: Mapped[int] = mapped_column(BigInteger)
    type: Mapped[str]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str]
    #: what shows that the event is to blame and not its destination: what else was taken, and when
    witness: Mapped[str | None]
    state: Mapped[DeadLetterState] = mapped_column(enum_column(DeadLetterState), default=DeadLetterState.OPEN)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    changed_at: Mapped[datetime] = mapped_column(default=clock.now)
