"""API keys of host apps: `hp_<prefix>_<secret>`, found by prefix, compared by SHA-256, shown once."""

import hashlib
import hmac
import secrets
import string
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.core.audit import Act, Actor, record
from webapp.core.runtime import Runtime
from webapp.errors import Fault, Forbidden, Invalid, NotFound
from webapp.lib import clock
from webapp.lib.database import Database
from webapp.lib.memory import Memory
from webapp.lib.secret import Secret
from webapp.models import ApiKey, User


class Scope(StrEnum):
    """What a key may do."""

    #: send events
    EVENTS_WRITE = "events:write"
    #: ask where an event is, and read dead letters
    EVENTS_READ = "events:read"
    #: see connections, their environments and states
    CONNECTIONS_READ = "connections:read"
    #: refresh and disconnect connections
    CONNECTIONS_WRITE = "connections:write"
    #: be handed a vendor's access token
    CREDENTIALS_READ = "credentials:read"
    #: open connect sessions for the host app's own users
    CONNECT_SESSIONS = "connect-sessions"
    #: pause, resume and rewind destinations, replay dead letters
    DESTINATIONS_WRITE = "destinations:write"
    #: make and end sources, and change their secrets
    SOURCES = "sources"
    #: see what is here of a user, and delete them with all of it
    USERS_DELETE = "users:delete"
    #: read the instance's figures from another machine
    METRICS_READ = "metrics:read"


_PREFIX_LETTERS = string.ascii_lowercase + string.digits
_NAME_CHARACTERS = 100
#: A revoked key works no longer than this in any process, in seconds.
_REMEMBERED = 1.0
_REMEMBERED_KEYS = 1000
_USED_STEP = timedelta(minutes=1)


@dataclass(slots=True, eq=False, kw_only=True)
class Known:
    """A key as it was read a moment ago, with what each request asks of it at hand."""

    row: ApiKey = field(repr=False)
    id: UUID
    actor: Actor
    #: the one user that it is bound to; None: the whole instance
    user_id: UUID | None
    secret_hash: bytes = field(repr=False)
    scopes: frozenset[str]
    #: revoked, or the user that it is bound to was disabled
    ended: bool
    expires_at: datetime | None
    noted: bool = False

    def is_good(self, digest: bytes) -> bool:
        """Whether it is the key of that secret, and lets in."""
        over = self.ended or (self.expires_at is not None and self.expires_at <= clock.now())
        return hmac.compare_digest(self.secret_hash, digest) and not over

    def note_use(self) -> bool:
        """Whether this use is to be written down: at most once a minute, and once per reading of the row."""
        if self.noted:
            return False
        self.noted = True
        used = self.row.last_used_at
        return used is None or clock.now() - used >= _USED_STEP


def create(
    session: Session,
    actor: Actor,
    name: str,
    scopes: Collection[Scope],
    *,
    user_id: UUID | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, Secret]:
    """A key and its whole text, which cannot be shown again. Raises Invalid by field, NotFound (user)."""
    _check(name, scopes, expires_at)
    if user_id is not None and session.get(User, user_id) is None:
        raise NotFound
    prefix = "".join(secrets.choice(_PREFIX_LETTERS) for _ in range(8))
    text = Secret(f"hp_{prefix}_{secrets.token_urlsafe(32)}")
    key = ApiKey(
        name=name.strip(),
        prefix=prefix,
        secret_hash=_digest(text.reveal()),
        user_id=user_id,
        scopes=" ".join(sorted(scopes)),
        expires_at=expires_at,
    )
    session.add(key)
    session.flush()
    record(session, actor, Act.API_KEY_MADE, f"key:{prefix}", detail=f"{key.name}: {key.scopes}")
    return key, text


def revoke(session: Session, actor: Actor, key_id: UUID) -> ApiKey:
    """Let the key in no more, in any process within a second. Raises NotFound."""
    key = session.get(ApiKey, key_id)
    if key is None:
        raise NotFound
    if key.revoked_at is None:
        key.revoked_at = clock.now()
        record(session, actor, Act.API_KEY_REVOKED, f"key:{key.prefix}", detail=key.name)
    return key


def check(session: Session, presented: str, scope: Scope) -> ApiKey:
    """The key that was presented. Raises NotFound (unknown, wrong, revoked or expired), Forbidden (scope)."""
    return _admitted(_load(session, _prefix_of(presented)), presented, scope).row


def admit(runtime: Runtime, presented: str, scope: Scope) -> Known:
    """As `check`, for the hot path: opens its own transactions, and remembers a key for up to a second."""
    prefix = _prefix_of(presented)
    memory = _memory_of(runtime.database)
    known = memory.get(prefix)
    if known is None:
        with runtime.database.read() as session:
            known = _load(session, prefix)
        if known is not None:  # guesses are not worth remembering
            memory.put(prefix, known)
    key = _admitted(known, presented, scope)
    if key.note_use():
        with runtime.database.write() as session:
            session.execute(update(ApiKey).where(ApiKey.id == key.id).values(last_used_at=clock.now()))
    return key


def scopes_of(key: ApiKey) -> frozenset[Scope]:
    """What the key may do, as words we know."""
    return frozenset(Scope(word) for word in key.scopes.split())


#: The keys that a process read within the last second, by prefix.
_memories: WeakKeyDictionary[Database, Memory[str, Known]] = WeakKeyDictionary()


def _memory_of(database: Database) -> Memory[str, Known]:
    memory = _memories.get(database)
    if memory is None:
        memory = _memories.setdefault(database, Memory(seconds=_REMEMBERED, most=_REMEMBERED_KEYS))
    return memory


def _load(session: Session, prefix: str) -> Known | None:
    """The key of that prefix, good or not."""
    query = (
        select(ApiKey, User.disabled_at)
        .outerjoin(User, User.id == ApiKey.user_id)
        .where(ApiKey.prefix == prefix)
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    key, disabled_at = found
    return Known(
        row=key,
        id=key.id,
        actor=Actor.key(key.prefix),
        user_id=key.user_id,
        secret_hash=key.secret_hash,
        scopes=frozenset(key.scopes.split()),
        ended=key.revoked_at is not None or disabled_at is not None,
        expires_at=key.expires_at,
    )


def _admitted(found: Known | None, presented: str, scope: Scope) -> Known:
    digest = _digest(presented)
    if found is None or not found.is_good(digest):
        raise NotFound
    if scope not in found.scopes:
        message = f"This key may not do that: it lacks the scope {scope.value}."
        raise Forbidden(message)
    return found


def _prefix_of(presented: str) -> str:
    parts = presented.split("_", 2)
    if len(parts) != 3 or parts[0] != "hp" or len(parts[1]) != 8 or not presented.isascii():
        raise NotFound
    return parts[1]


def _check(name: str, scopes: Collection[Scope], expires_at: datetime | None) -> None:
    faults = []
    if not name.strip() or len(name) > _NAME_CHARACTERS or not name.isprintable():
        faults.append(Fault("name", f"is to be 1 to {_NAME_CHARACTERS} printable characters"))
    if not scopes:
        faults.append(Fault("scopes", "is empty: choose what the key may do"))
    if expires_at is not None and expires_at <= clock.now():
        faults.append(Fault("expires_at", "is in the past"))
    if faults:
        raise Invalid(faults)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


__all__ = ["ApiKey", "Scope", "admit", "check", "create", "revoke", "scopes_of"]
