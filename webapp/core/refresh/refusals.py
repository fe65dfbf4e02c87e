"""A refused refresh token: whose fault is it, and what follows.

- asked again minutes later; and if it is refused again:
  - the vendor named the grant, or served another connection of the Client since: needs_reconnect, its owner
    is told, and the vendor is asked daily for 30 days
  - it may be our own secret's fault: charged to the Client, degraded
- where refresh tokens rotate and the answer to an earlier refresh never came here: what we hold is spent. It
  was tried once more, and is not tried again: needs_reconnect, with that cause
"""

from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from webapp.core import connections, notices
from webapp.core.audit import Act
from webapp.core.refresh import client_breaker
from webapp.core.refresh.outcomes import Outcome, record
from webapp.errors import GrantRefused
from webapp.lib.backoff import full_jitter
from webapp.models import Connection, ConnectionState, Credential, CredentialKind

#: A refusal is believed only when it is repeated at least this much later.
CONFIRM_SECONDS = 300.0
_CHARGED_BASE, _CHARGED_CAP = 900.0, 3600.0
_PROBE_WAIT = 86_400.0
_PROBED_FOR = timedelta(days=30)


def refused(session: Session, connection: Connection, credential: Credential, error: GrantRefused) -> Outcome:
    """Ask once more later, or judge."""
    now = connections.moment_of(session)
    if credential.refused_at is None:
        credential.refused_at, credential.failures = now, 1
    if credential.asked_at is not None and _rotates(session, connection, credential):
        _need_reconnect(session, connection, credential, again_at=None)
        return Outcome.REFUSED
    since = now - credential.refused_at
    if since.total_seconds() < CONFIRM_SECONDS:
        if since.total_seconds() == 0.0:
            told = f"refused, asked once more soon: {credential.words}"
            record(session, connection, Act.REFRESH_FAILED, told)
        spread = full_jitter(1, base=60.0, cap=60.0)
        credential.refresh_at = credential.refused_at + timedelta(seconds=CONFIRM_SECONDS + spread)
        return Outcome.REFUSED
    credential.failures += 1
    if error.code == "invalid_grant" or _client_works(session, connection, credential):
        # Vendors err too: a daily question costs nothing, and a yes mends the connection by itself.
        again_at = now + timedelta(seconds=_PROBE_WAIT) if since < _PROBED_FOR else None
        _need_reconnect(session, connection, credential, again_at=again_at)
    else:
        _blame_client(session, connection, credential)
    return Outcome.REFUSED


def _rotates(session: Session, connection: Connection, credential: Credential) -> bool:
    """Whether a refresh token of this Client works once: it, or another's, was seen to be replaced."""
    seen = exists().where(
        Credential.rotated_at.is_not(None),
        Credential.connection_id == Connection.id,
        Connection.client_key == connection.client_key,
    )
    return credential.rotated_at is not None or bool(session.scalar(select(seen)))


def _client_works(session: Session, connection: Connection, credential: Credential) -> bool:
    """Whether another connection of the same Client got a token since this one was first refused."""
    served = exists().where(
        Credential.kind == CredentialKind.GRANT,
        Credential.issued_at > credential.refused_at,
        Credential.connection_id == Connection.id,
        Connection.client_key == connection.client_key,
        Connection.id != connection.id,
    )
    return bool(session.scalar(select(served)))


def _need_reconnect(
    session: Session, connection: Connection, credential: Credential, *, again_at: datetime | None
) -> None:
    credential.refresh_at = again_at
    cause = _cause(connection, credential)
    if not connections.mark_needs_reconnect(session, connection.id, cause):
        return
    notices.tell(
        session,
        dedupe_key=f"needs_reconnect:{connection.id}:{credential.generation}",
        kind="needs_reconnect",
        user_id=connection.user_id,
        connection_id=connection.id,
        text=f"{connection.label} at {connection.provider} needs you to reconnect. {cause} "
        + _fate_of_events(session, connection),
    )


def _fate_of_events(session: Session, connection: Connection) -> str:
    """What becomes of the owner's events meanwhile: keys of their own outlive a grant."""
    has_key = exists().where(
        Credential.connection_id == connection.id,
        Credential.kind == CredentialKind.INGEST_KEY,
        Credential.sealed.is_not(None),
    )
    if session.scalar(select(has_key)):
        return (
            "Events still go out with the keys we have. Reconnecting keeps every destination and its place."
        )
    return "Events for it wait here meanwhile. Reconnecting keeps every destination and its place."


def _cause(connection: Connection, credential: Credential) -> str:
    if credential.asked_at is None:
        return f"{connection.provider} no longer accepts our access to this account: {credential.words}."
    return (
        f"An interrupted rotation: the answer to our refresh of {credential.asked_at:%Y-%m-%d %H:%M:%S} UTC "
        f"was lost, and the next refresh token with it. {connection.provider} refuses the one we still hold: "
        f"{credential.words}."
    )


def _blame_client(session: Session, connection: Connection, credential: Credential) -> None:
    wait = full_jitter(credential.failures, base=_CHARGED_BASE, cap=_CHARGED_CAP)
    credential.refresh_at = connections.moment_of(session) + timedelta(seconds=wait)
    words = f"A refresh is refused, and it may be our own client's fault: {credential.words}"
    client_breaker.charge(session, connection.client_key, words)
    session.flush()
    client_breaker.tell_admins(
        session,
        connection.client_key,
        f"{connection.provider} refuses to refresh {connection.label} without saying whose fault it is "
        f"({credential.words}). Check our client id and secret. If they are right, the account's owner can "
        "reconnect; the next refresh of any other account settles whose fault it is.",
    )
    if connection.state is not ConnectionState.NEEDS_RECONNECT:
        connections.degrade(session, connection.id, f"{words}. A reconnect would tell.", of_vendor=True)
