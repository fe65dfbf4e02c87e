"""What an answer to a refresh changes. Every class of answer has its one action (RFC 6749 §5.2).

- a grant: sealed, one generation up, scheduled anew; the connection recovers, and the Client works
- network, 5xx, a page, nonsense: only the backoff moves; degraded once the access token is dead
- 429: only the backoff moves, and the Client is slowed down
- our id or secret refused: the Client is stopped and admins are told; no connection is blamed
- the refresh token refused: asked again minutes later; and if it is refused again:
  - the vendor named the grant, or served another connection of the Client since: needs_reconnect, its owner
    is told, and the vendor is asked daily for 30 days
  - it may be our own secret's fault: charged to the Client, degraded
"""

from datetime import timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from webapp.core import audit, connections, credentials, notices
from webapp.core.audit import Act
from webapp.core.refresh import client_breaker
from webapp.core.refresh.lease import Lease
from webapp.errors import (
    ClientRefused,
    GrantRefused,
    HitchpostError,
    VaultError,
    VendorError,
    VendorRateLimited,
    VendorUnavailable,
)
from webapp.lib.backoff import full_jitter
from webapp.lib.vault import Vault
from webapp.models import Connection, ConnectionState, Credential, CredentialKind
from webapp.providers.base import Grant

#: A refusal is believed only when it is repeated at least this much later.
CONFIRM_SECONDS = 300.0
_BASE_WAIT, _CAP_ALIVE, _CAP_DEAD = 30.0, 900.0, 3600.0
_PROBE_WAIT = 86_400.0
_PROBED_FOR = timedelta(days=30)
_WORDS_CHARACTERS = 300


class Outcome(StrEnum):
    """How a refresh ended."""

    RENEWED = "renewed"
    #: no fault of the grant: tried again later
    LATER = "later"
    #: the vendor refuses the refresh token
    REFUSED = "refused"
    #: the vendor refuses our Client
    CLIENT_REFUSED = "client_refused"
    #: there is nothing to refresh it with
    NOTHING = "nothing"
    #: somebody else settled first: theirs holds
    FENCED = "fenced"


class _Nothing:
    """No refresh token, or a provider that knows no refresh."""


NOTHING_TO_REFRESH: Final = _Nothing()
Answer = Grant | VendorError | VaultError | _Nothing


def settle(session: Session, vault: Vault, lease: Lease, answer: Answer) -> Outcome:
    """Write what `answer` means, if the lease still holds; otherwise nothing at all."""
    connection = connections.lock(session, lease.connection_id)
    credential = session.get(Credential, lease.credential_id, with_for_update=True)
    if credential is None or (credential.lease, credential.generation) != (lease.id, lease.generation):
        return Outcome.FENCED
    if isinstance(answer, Grant):
        return _renewed(session, vault, connection, credential, answer)
    credential.lease = None
    if isinstance(answer, _Nothing):
        credential.refresh_at = None
        return Outcome.NOTHING
    credential.words = str(answer)[:_WORDS_CHARACTERS]
    if isinstance(answer, GrantRefused):
        return _refused(session, connection, credential, answer)
    if isinstance(answer, ClientRefused):
        return _client_refused(session, connection, credential, answer)
    return _later(session, connection, credential, answer)


def _renewed(
    session: Session, vault: Vault, connection: Connection, credential: Credential, grant: Grant
) -> Outcome:
    parts = {"access_token": grant.access_token}
    if grant.refresh_token is not None:
        parts["refresh_token"] = grant.refresh_token
    if grant.spare_refresh_token is not None:
        parts["spare_refresh_token"] = grant.spare_refresh_token
    credentials.replace(session, vault, credential, parts, lifetime=grant.lifetime)
    credential.refreshed_at = credential.issued_at
    _record(session, connection, Act.REFRESHED, f"good for {_span(grant.lifetime)}")
    session.flush()
    connections.recover(session, connection.id)
    client_breaker.close(session, connection.client_key)
    return Outcome.RENEWED


def _later(
    session: Session, connection: Connection, credential: Credential, error: HitchpostError
) -> Outcome:
    now = connections.moment_of(session)
    dead = credential.expires_at is not None and credential.expires_at <= now
    credential.failures += 1
    wait = full_jitter(credential.failures, base=_BASE_WAIT, cap=_CAP_DEAD if dead else _CAP_ALIVE)
    if isinstance(error, VendorUnavailable) and error.retry_after is not None:
        wait = max(wait, error.retry_after)
    if isinstance(error, VendorRateLimited):
        wait += client_breaker.trip(
            session, connection.client_key, str(error), seconds=error.retry_after or _BASE_WAIT
        )
    credential.refresh_at = now + timedelta(seconds=wait)
    if credential.failures == 1:
        _record(session, connection, Act.REFRESH_FAILED, f"tried again later: {credential.words}")
    if dead:
        connections.degrade(
            session,
            connection.id,
            f"Its access token is past its end and cannot be renewed: {credential.words}",
            of_vendor=True,
        )
    return Outcome.LATER


def _client_refused(
    session: Session, connection: Connection, credential: Credential, error: ClientRefused
) -> Outcome:
    wait = client_breaker.trip(session, connection.client_key, str(error))
    credential.refresh_at = connections.moment_of(session) + timedelta(seconds=wait)
    client_breaker.tell_admins(
        session,
        connection.client_key,
        f"{connection.provider} refuses our own client id or secret ({credential.words}). No connection is "
        "blamed or changed, but none of it can be refreshed until the configured secret is right.",
    )
    return Outcome.CLIENT_REFUSED


def _refused(
    session: Session, connection: Connection, credential: Credential, error: GrantRefused
) -> Outcome:
    now = connections.moment_of(session)
    if credential.refused_at is None:
        credential.refused_at, credential.failures = now, 1
        _record(session, connection, Act.REFRESH_FAILED, f"refused, asked once more soon: {credential.words}")
    since = now - credential.refused_at
    if since.total_seconds() < CONFIRM_SECONDS:
        spread = full_jitter(1, base=60.0, cap=60.0)
        credential.refresh_at = credential.refused_at + timedelta(seconds=CONFIRM_SECONDS + spread)
        return Outcome.REFUSED
    credential.failures += 1
    if error.code == "invalid_grant" or _client_works(session, connection, credential):
        _blame_grant(session, connection, credential, probed_for=since)
    else:
        _blame_client(session, connection, credential)
    return Outcome.REFUSED


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


def _blame_grant(
    session: Session, connection: Connection, credential: Credential, *, probed_for: timedelta
) -> None:
    # Vendors err too: a daily question costs nothing, and a yes mends the connection by itself.
    again = connections.moment_of(session) + timedelta(seconds=_PROBE_WAIT)
    credential.refresh_at = again if probed_for < _PROBED_FOR else None
    reason = f"{connection.provider} no longer accepts our access to this account: {credential.words}"
    if not connections.mark_needs_reconnect(session, connection.id, reason):
        return
    notices.tell(
        session,
        dedupe_key=f"needs_reconnect:{connection.id}:{credential.generation}",
        kind="needs_reconnect",
        user_id=connection.user_id,
        connection_id=connection.id,
        text=f"{connection.label} at {connection.provider} needs you to reconnect: {credential.words}. "
        "Events still go out with the keys we have. Reconnecting keeps every destination and its place.",
    )


def _blame_client(session: Session, connection: Connection, credential: Credential) -> None:
    wait = full_jitter(credential.failures, base=_CAP_ALIVE, cap=_CAP_DEAD)
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


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds:.0f} s"


def _record(session: Session, connection: Connection, act: Act, detail: str) -> None:
    thing = f"connection:{connection.id}"
    audit.record(session, audit.HITCHPOST, act, thing, connection_id=connection.id, detail=detail)
