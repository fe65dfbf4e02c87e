"""One-time links: the URL holds the secret, the row only its SHA-256; spent by one statement, so once."""

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from webapp.errors import NotFound
from webapp.lib import clock
from webapp.lib.secret import Secret
from webapp.models import LinkKind, OneTimeLink

#: How long an unused link works.
LIFETIMES = {LinkKind.INVITE: timedelta(days=7), LinkKind.CONNECT: timedelta(minutes=10)}
#: How long a spent or expired link is kept, so that its page can say so.
_KEPT = timedelta(days=7)


def make(
    session: Session, kind: LinkKind, user_id: UUID, *, return_to: str | None = None
) -> tuple[Secret, datetime]:
    """A new link's secret, and when it ends."""
    secret = Secret(secrets.token_urlsafe(32))
    expires_at = clock.now() + LIFETIMES[kind]
    session.add(
        OneTimeLink(
            secret_hash=_digest(secret),
            kind=kind,
            user_id=user_id,
            return_to=return_to,
            expires_at=expires_at,
        )
    )
    return secret, expires_at


def look(session: Session, kind: LinkKind, secret: Secret) -> OneTimeLink:
    """The live link of that secret, unspent. Raises NotFound when it is unknown, used or over."""
    query = select(OneTimeLink).where(
        OneTimeLink.secret_hash == _digest(secret),
        OneTimeLink.kind == kind,
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > clock.now(),
    )
    link = session.execute(query).scalar_one_or_none()
    if link is None:
        raise NotFound
    return link


def spend(session: Session, kind: LinkKind, secret: Secret) -> OneTimeLink:
    """Use the link up. Of any number of callers one gets it, the others NotFound."""
    moment = clock.now()
    link = session.execute(
        update(OneTimeLink)
        .where(
            OneTimeLink.secret_hash == _digest(secret),
            OneTimeLink.kind == kind,
            OneTimeLink.used_at.is_(None),
            OneTimeLink.expires_at > moment,
        )
        .values(used_at=moment)
        .returning(OneTimeLink)
    ).scalar_one_or_none()
    if link is None:
        raise NotFound
    return link


def withdraw(session: Session, kind: LinkKind, user_id: UUID) -> None:
    """End every unspent link of this kind that the person has."""
    session.execute(
        delete(OneTimeLink).where(
            OneTimeLink.kind == kind, OneTimeLink.user_id == user_id, OneTimeLink.used_at.is_(None)
        )
    )


def forget_ended(session: Session) -> int:
    """Delete links that ended a week ago; how many."""
    over = OneTimeLink.expires_at <= clock.now() - _KEPT
    return len(session.execute(delete(OneTimeLink).where(over).returning(OneTimeLink.id)).all())


def _digest(secret: Secret) -> bytes:
    return hashlib.sha256(secret.reveal().encode()).digest()
