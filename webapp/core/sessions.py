"""Sessions: browsers that are signed in. The cookie holds a secret, the row its SHA-256 (ASVS 5.0 V7)."""

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from webapp.core.audit import Act, Actor, record
from webapp.errors import NotFound
from webapp.lib import clock
from webapp.lib.secret import Secret
from webapp.models import SessionKind, User, UserSession

#: How long a session lives, whatever happens.
LIFETIMES = {SessionKind.LOGIN: timedelta(hours=12), SessionKind.CONNECT: timedelta(hours=1)}
#: How long it lives unused.
IDLE = timedelta(minutes=30)
#: `seen_at` moves in steps of this, so that reading a page is rarely a write.
_SEEN_STEP = timedelta(minutes=1)


def open(session: Session, user_id: UUID, kind: SessionKind, *, return_to: str | None = None) -> Secret:  # noqa: A001 - read as sessions.open
    """Start a session; the answer is what the cookie holds. `return_to` has passed the allowlist already."""
    value = Secret(secrets.token_urlsafe(32))
    moment = clock.now()
    session.add(
        UserSession(
            id_hash=_digest(value),
            user_id=user_id,
            kind=kind,
            return_to=return_to,
            reauth_at=moment,
            seen_at=moment,
            expires_at=moment + LIFETIMES[kind],
        )
    )
    return value


def find(session: Session, value: Secret) -> UserSession | None:
    """The live session of that cookie: neither past its end, nor idle too long, nor of somebody disabled."""
    found = find_with_user(session, value)
    return found[0] if found else None


def find_with_user(session: Session, value: Secret) -> tuple[UserSession, User] | None:
    """As `find`, with the person."""
    moment = clock.now()
    query = (
        select(UserSession, User)
        .join(User, User.id == UserSession.user_id)
        .where(
            UserSession.id_hash == _digest(value),
            UserSession.expires_at > moment,
            UserSession.seen_at > moment - IDLE,
            User.disabled_at.is_(None),
        )
    )
    row = session.execute(query).one_or_none()
    return (row[0], row[1]) if row else None


def is_stale(row: UserSession) -> bool:
    """Whether `seen` is worth a write."""
    return clock.now() - row.seen_at >= _SEEN_STEP


def seen(session: Session, session_id: UUID) -> None:
    """Note that this session is in use."""
    session.execute(update(UserSession).where(UserSession.id == session_id).values(seen_at=clock.now()))


def is_recent(row: UserSession, *, minutes: float) -> bool:
    """Whether its person proved who they are within the last `minutes`."""
    return clock.now() - row.reauth_at <= timedelta(minutes=minutes)


def reauthenticate(session: Session, session_id: UUID) -> Secret:
    """Its person proved themselves again: the same row under a new cookie value; the old value is dead.

    The row stays, so that an Install bound to it stays too. Raises NotFound when it was closed meanwhile.
    """
    value = Secret(secrets.token_urlsafe(32))
    moment = clock.now()
    changed = session.execute(
        update(UserSession)
        .where(UserSession.id == session_id)
        .values(id_hash=_digest(value), reauth_at=moment, seen_at=moment)
        .returning(UserSession.id)
    ).scalar_one_or_none()
    if changed is None:
        raise NotFound
    return value


def close(session: Session, session_id: UUID) -> None:
    """End one session, with an audit line when it was a sign-in."""
    row = session.get(UserSession, session_id)
    if row is None:
        return
    if row.kind is SessionKind.LOGIN:
        record(session, Actor.user(row.user_id), Act.SIGNED_OUT, f"user:{row.user_id}")
    session.delete(row)


def close_all(session: Session, user_id: UUID) -> None:
    """End every session of a person: they were disabled, or changed their role or password."""
    session.execute(delete(UserSession).where(UserSession.user_id == user_id))


def forget_ended(session: Session) -> int:
    """Delete sessions that can never be found again; how many."""
    moment = clock.now()
    ended = (UserSession.expires_at <= moment) | (UserSession.seen_at <= moment - IDLE)
    gone = session.execute(delete(UserSession).where(ended).returning(UserSession.id))
    return len(gone.all())


def _digest(value: Secret) -> bytes:
    return hashlib.sha256(value.reveal().encode()).digest()


__all__ = [
    "IDLE",
    "LIFETIMES",
    "SessionKind",
    "User",
    "UserSession",
    "close",
    "close_all",
    "find",
    "find_with_user",
    "forget_ended",
    "is_recent",
    "is_stale",
    "open",
    "reauthenticate",
    "seen",
]
