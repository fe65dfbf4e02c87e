"""Who did what: one line in the transaction of the act itself. A connection's timeline is its lines."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from webapp.models import AuditLine

_DETAIL_CHARACTERS = 500


class Act(StrEnum):
    """Every act that leaves a line."""

    INSTALL_BEGUN = "install.begun"
    INSTALL_ENDED = "install.ended"
    CONNECTED = "connection.connected"
    RECONNECTED = "connection.reconnected"
    ANNOUNCED = "connection.announced"
    REFRESH_ASKED = "connection.refresh_asked"
    ENVIRONMENTS_ASKED = "connection.environments_asked"
    REFRESHED = "connection.refreshed"
    REFRESH_FAILED = "connection.refresh_failed"
    STATE_CHANGED = "connection.state_changed"
    TOLD = "connection.told"
    PAUSED = "connection.paused"
    RESUMED = "connection.resumed"
    DISCONNECTED = "connection.disconnected"
    REVOKED = "connection.revoked"
    NOT_REVOKED = "connection.not_revoked"
    ENVIRONMENTS_CHANGED = "connection.environments_changed"
    ENVIRONMENTS_FAILED = "connection.environments_failed"
    DESTINATION_MADE = "destination.made"
    DESTINATION_CHANGED = "destination.changed"
    DESTINATION_HELD = "destination.held"
    DESTINATION_RELEASED = "destination.released"
    DESTINATION_REWOUND = "destination.rewound"
    DEAD_LETTERS_REPLAYED = "dead_letters.replayed"
    DEAD_LETTERS_DISCARDED = "dead_letters.discarded"
    CREDENTIAL_HANDED_OUT = "credential.handed_out"
    SIGNED_IN = "user.signed_in"
    SIGN_IN_FAILED = "user.sign_in_failed"
    SIGNED_OUT = "user.signed_out"
    INVITED = "user.invited"
    USER_CHANGED = "user.changed"
    USER_DELETION_BEGUN = "user.deletion_begun"
    USER_DELETED = "user.deleted"
    API_KEY_MADE = "api_key.made"
    API_KEY_REVOKED = "api_key.revoked"
    CONNECT_SESSION_MADE = "connect_session.made"
    ERRAND_RETRIED = "errand.retried"
    NOTICE_PUT_AWAY = "notice.put_away"
    NOTICES_TESTED = "notices.tested"
    WEBHOOK_OPENED = "webhook.opened"
    SOURCE_MADE = "source.made"
    SOURCE_SECRET_CHANGED = "source.secret_changed"  # noqa: S105 - an act
    SOURCE_ENDED = "source.ended"
    KEYS_ROTATED = "keys.rotated"
    RESTORE_HELD = "restore.held"
    RESTORE_RELEASED = "restore.released"
    AUDIT_ERASED = "audit.erased"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `user:<id>`, `key:<prefix>` or `hitchpost`."""

    name: str

    @classmethod
    def user(cls, user_id: UUID) -> "Actor":
        """A person."""
        return cls(f"user:{user_id}")

    @classmethod
    def key(cls, prefix: str) -> "Actor":
        """A host app, by its API key."""
        return cls(f"key:{prefix}")


_LINE = insert(AuditLine).inline()

#: Hitchpost itself, in a worker.
HITCHPOST = Actor("hitchpost")


def record(
    session: Session,
    actor: Actor,
    act: Act,
    thing: str,
    *,
    connection_id: UUID | None = None,
    detail: str = "",
) -> None:
    """Add a line to the caller's transaction. `thing` is `kind:id`; `detail` one sentence without secrets."""
    line = {
        "actor": actor.name,
        "act": act.value,
        "object": thing,
        "connection_id": connection_id,
        "detail": detail[:_DETAIL_CHARACTERS] or None,
    }
    # Nothing refers to a line, so it needs no place in the unit of work, which would cost as much again.
    session.connection().execute(_LINE, line)
