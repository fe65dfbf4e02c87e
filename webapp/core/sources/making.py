"""Making a source, changing its secret without a gap, and ending it."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from webapp.core import credentials
from webapp.core.audit import Act, Actor, record
from webapp.errors import Conflict, Fault, Invalid, NotFound
from webapp.lib import clock
from webapp.lib.ids import uuid7
from webapp.lib.secret import Secret
from webapp.lib.vault import Vault
from webapp.models import Source, User

GITHUB = "github"
#: How long the secret before the present one signs too: whoever changes it has so long to tell the sender.
BOTH_GOOD = timedelta(days=1)
_NAME_CHARACTERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A source, and its secret, which cannot be shown again."""

    source: Source
    secret: Secret = field(repr=False)


def make(session: Session, vault: Vault, actor: Actor, user_id: UUID, name: str) -> Made:
    """A source of GitHub's for a user. Raises Invalid (`name`), NotFound (the user)."""
    name = name.strip()
    if not 0 < len(name) <= _NAME_CHARACTERS or not name.isprintable():
        raise Invalid([Fault("name", f"is to be 1 to {_NAME_CHARACTERS} printable characters")])
    if session.get(User, user_id) is None:
        raise NotFound("There is no such user.")
    source = Source(id=uuid7(), user_id=user_id, kind=GITHUB, name=name)
    secret = _new_secret()
    credentials.seal_for_source(vault, source, {"secret": secret})
    session.add(source)
    session.flush()
    record(session, actor, Act.SOURCE_MADE, f"source:{source.id}", detail=f"{source.kind}: {name}")
    return Made(source=source, secret=secret)


def change_secret(
    session: Session, vault: Vault, actor: Actor, owner_id: UUID | None, source_id: UUID
) -> Made:
    """A new secret; the one before it signs for another day. Raises NotFound, Conflict when it ended.

    A secret that was to end with the day ends now: at most two sign at a time.
    """
    source = _lock(session, owner_id, source_id)
    secret, before = _new_secret(), credentials.open_for_source(vault, source)
    credentials.seal_for_source(vault, source, {"secret": secret, "previous": before["secret"]})
    source.previous_until = clock.now() + BOTH_GOOD
    record(session, actor, Act.SOURCE_SECRET_CHANGED, f"source:{source.id}", detail=source.name)
    return Made(source=source, secret=secret)


def end(session: Session, actor: Actor, owner_id: UUID | None, source_id: UUID) -> Source:
    """Take nothing more from it, and forget its secret. Raises NotFound, Conflict when it ended."""
    source = _lock(session, owner_id, source_id)
    source.ended_at, source.sealed, source.previous_until = clock.now(), None, None
    record(session, actor, Act.SOURCE_ENDED, f"source:{source.id}", detail=source.name)
    return source


def good_secrets(vault: Vault, source: Source, now: datetime) -> tuple[Secret, ...]:
    """Those that sign now, the present one first. Raises VaultError."""
    parts = credentials.open_for_source(vault, source)
    both = source.previous_until is not None and source.previous_until > now
    return tuple(
        parts[name] for name in ("secret", "previous") if name in parts and (name == "secret" or both)
    )


def _lock(session: Session, owner_id: UUID | None, source_id: UUID) -> Source:
    source = session.get(Source, source_id, with_for_update=True, populate_existing=True)
    if source is None or owner_id not in {None, source.user_id}:
        raise NotFound("There is no such source.")
    if source.ended_at is not None:
        raise Conflict("This source has ended.")
    return source


def _new_secret() -> Secret:
    return Secret(secrets.token_hex(32))
