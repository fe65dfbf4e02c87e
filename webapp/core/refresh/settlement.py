"""What an answer to a refresh changes: one table of classes, each with its one action (RFC 6749 §5.2).

- a grant: sealed, one generation up, scheduled anew; the connection recovers, and the Client works
- network, 5xx, a page, nonsense: only the backoff moves; degraded once the access token is dead
- 429: only the backoff moves, and the Client is slowed down
- our id or secret refused: the Client is stopped and admins are told; no connection is blamed
- the refresh token refused: asked again minutes later, or judged (webapp.core.refresh.refusals)
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, load_only

from webapp.core import connections, credentials
from webapp.core.audit import Act
from webapp.core.refresh import client_breaker, refusals
from webapp.core.refresh.lease import Lease
from webapp.core.refresh.outcomes import Answer, Nothing, Outcome, record
from webapp.errors import (
    AccessRefused,
    ClientRefused,
    GrantRefused,
    HitchpostError,
    VaultError,
    VendorAnswerInvalid,
    VendorError,
    VendorRateLimited,
    VendorUnavailable,
)
from webapp.lib.backoff import full_jitter
from webapp.lib.database import db_time
from webapp.lib.secret import Secret
from webapp.lib.vault import Vault
from webapp.models import Breaker, Connection, ConnectionState, Credential
from webapp.providers.base import Grant

_BASE_WAIT, _CAP_ALIVE, _CAP_DEAD = 30.0, 900.0, 3600.0
#: After a lost answer we ask again at once: many vendors take a spent refresh token for some seconds.
_LOST_WAIT = 5.0
_WORDS_CHARACTERS = 300
#: A gateway that does not know what became of the request (RFC 9110 §15.6.3, §15.6.5).
_GATEWAYS = frozenset({502, 504})


def settle(session: Session, vault: Vault, lease: Lease, answer: Answer, *, age: float = 0.0) -> Outcome:
    """Write what `answer`, received `age` seconds ago, means; nothing at all if somebody else settled.

    A grant is taken even when its lease was taken over meanwhile: whoever has one is right.
    """
    found = session.execute(_LOCK, {"credential_id": lease.credential_id}).one_or_none()
    if found is None or found.Credential.generation != lease.generation:
        return Outcome.FENCED
    connection, credential = found.Connection, found.Credential
    if isinstance(answer, Grant):
        # Opened as it was when we asked: a rotation of the vault's keys may have sealed the row anew.
        held = credentials.open_parts(vault, lease.credential)
        received = found.now - timedelta(seconds=age)
        _renew(session, vault, credential, answer, held=held, received=received)
        return _renewed(session, connection, answer, was_charged=found.charged is not None)
    if credential.lease != lease.id:
        return Outcome.FENCED
    credential.lease = None
    credential.asked_at = credential.asked_at if is_lost(answer) else lease.asked_at
    if isinstance(answer, Nothing):
        credential.refresh_at = None
        return Outcome.NOTHING
    credential.words = str(answer)[:_WORDS_CHARACTERS]
    return _action_for(answer)(session, connection, credential, answer)


#: The connection before what hangs from it, as everywhere.
_LOCK = (
    select(Connection, Credential, db_time().label("now"), Breaker.key.label("charged"))
    .join(Credential, Credential.connection_id == Connection.id)
    .outerjoin(Breaker, client_breaker.of_connection())
    .where(Credential.id == bindparam("credential_id"))
    .options(load_only(Connection.provider, Connection.client_key, Connection.state))
    .with_for_update(of=(Connection, Credential))
)


def is_lost(answer: Answer) -> bool:
    """Whether the vendor may have traded the refresh token though no usable answer came here."""
    if isinstance(answer, VendorUnavailable) and answer.status is None:
        return answer.sent
    if isinstance(answer, VendorUnavailable | VendorAnswerInvalid):
        return answer.status is None or 200 <= answer.status < 300 or answer.status in _GATEWAYS
    return False


def _action_for(answer: HitchpostError) -> Callable[[Session, Connection, Credential, Any], Outcome]:
    return next(ACTIONS[kind] for kind in type(answer).__mro__ if kind in ACTIONS)


def _renew(
    session: Session,
    vault: Vault,
    credential: Credential,
    grant: Grant,
    *,
    held: Mapping[str, Secret],
    received: datetime,
) -> None:
    parts = {"access_token": grant.access_token}
    if grant.refresh_token is not None:
        parts["refresh_token"] = grant.refresh_token
    if grant.spare_refresh_token is not None:
        parts["spare_refresh_token"] = grant.spare_refresh_token
    credentials.replace(session, vault, credential, parts, lifetime=grant.lifetime, received=received)
    credential.refreshed_at = credential.issued_at
    if "refresh_token" in parts and all(parts["refresh_token"] != one for one in held.values()):
        credential.rotated_at = credential.issued_at


def _renewed(session: Session, connection: Connection, grant: Grant, *, was_charged: bool) -> Outcome:
    record(session, connection, Act.REFRESHED, f"good for {_span(grant.lifetime)}")
    if connection.state is not ConnectionState.ACTIVE:
        session.flush()
        connections.recover(session, connection.id)
    if was_charged:
        client_breaker.close(session, connection.client_key)
    return Outcome.RENEWED


def _later(
    session: Session, connection: Connection, credential: Credential, error: HitchpostError
) -> Outcome:
    now = connections.moment_of(session)
    dead = credential.expires_at is not None and credential.expires_at <= now
    credential.failures += 1
    base = _LOST_WAIT if isinstance(error, VendorError) and is_lost(error) else _BASE_WAIT
    wait = full_jitter(credential.failures, base=base, cap=_CAP_DEAD if dead else _CAP_ALIVE)
    if isinstance(error, VendorUnavailable) and error.retry_after is not None:
        wait = max(wait, error.retry_after)
    credential.refresh_at = now + timedelta(seconds=wait)
    if credential.failures == 1:
        record(session, connection, Act.REFRESH_FAILED, f"tried again later: {credential.words}")
    if dead:
        reason = f"Its access token is past its end and cannot be renewed: {credential.words}"
        connections.degrade(session, connection.id, reason, of_vendor=True)
    return Outcome.LATER


def _slow_down(
    session: Session, connection: Connection, credential: Credential, error: VendorRateLimited
) -> Outcome:
    outcome = _later(session, connection, credential, error)
    seconds = error.retry_after or _BASE_WAIT
    wait = client_breaker.trip(session, connection.client_key, str(error), seconds=seconds)
    opens_at = connections.moment_of(session) + timedelta(seconds=wait)
    credential.refresh_at = max(credential.refresh_at or opens_at, opens_at)
    return outcome


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


#: What each class of answer does; the nearest class of an error's ancestry counts.
ACTIONS: Final[Mapping[type[Exception], Callable[[Session, Connection, Credential, Any], Outcome]]] = {
    VendorUnavailable: _later,
    VendorAnswerInvalid: _later,
    AccessRefused: _later,
    VaultError: _later,
    VendorRateLimited: _slow_down,
    ClientRefused: _client_refused,
    GrantRefused: refusals.refused,
}


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds:.0f} s"
