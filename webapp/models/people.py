"""Users, their sessions, their one-time links and the API keys of host apps."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.lib import clock
from webapp.lib.ids import uuid7
from webapp.models.base import Base, enum_column


class Role(StrEnum):
    """What a User may see and do."""

    #: sees their own connections only
    MEMBER = "member"
    #: sees everybody's connections, never their secrets
    ADMIN = "admin"


class SessionKind(StrEnum):
    """How a session came to be, and so how far it reaches."""

    #: a sign-in here: everything the User's role allows
    LOGIN = "login"
    #: opened by a host app's connect session: connect, and see one's own connections
    CONNECT = "connect"


class LinkKind(StrEnum):
    """What a one-time link opens."""

    #: lets an invited member choose a password
    INVITE = "invite"
    #: opens a connect session for a host app's own user
    CONNECT = "connect"


class User(Base):
    """A person whose accounts are connected: signs in here, or is known to the host app by external_id."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("email IS NOT NULL OR external_id IS NOT NULL", name="named"),
        Index(
            "ix_users_deleting_at",
            "deleting_at",
            postgresql_where=text("deleting_at IS NOT NULL"),
            sqlite_where=text("deleting_at IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    role: Mapped[Role] = mapped_column(enum_column(Role), default=Role.MEMBER)
    #: lower case
    email: Mapped[str | None] = mapped_column(unique=True)
    external_id: Mapped[str | None] = mapped_column(unique=True)
    #: argon2id, or null while an invitation is open
    password_hash: Mapped[str | None]
    disabled_at: Mapped[datetime | None]
    #: when somebody said that they and everything of theirs go; from then on it only goes on
    deleting_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    @property
    def label(self) -> str:
        """How pages name this person."""
        return self.email or self.external_id or str(self.id)


class UserSession(Base):
    """A browser that is signed in. The cookie holds the id, this row only its SHA-256."""

    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    id_hash: Mapped[bytes] = mapped_column(unique=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[SessionKind] = mapped_column(enum_column(SessionKind))
    #: where a connect session's user goes back to; held to the allowlist when it was asked for
    return_to: Mapped[str | None]
    #: when this person last proved who they are
    reauth_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    seen_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]


class OneTimeLink(Base):
    """A link that works once: the URL holds the secret, this row only its SHA-256."""

    __tablename__ = "one_time_links"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    secret_hash: Mapped[bytes] = mapped_column(unique=True)
    kind: Mapped[LinkKind] = mapped_column(enum_column(LinkKind))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    return_to: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ApiKey(Base):
    """A host app's key, `hp_<prefix>_<secret>`: looked up by prefix, compared by SHA-256, shown once."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str]
    prefix: Mapped[str] = mapped_column(unique=True)
    secret_hash: Mapped[bytes]
    #: null: the whole instance
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    #: space-separated words, see core.api_keys.Scope
    scopes: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
