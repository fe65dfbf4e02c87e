"""An access token that is good now: ours, or the one that whoever refreshes it at this moment gets."""

import time
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from webapp.core import credentials, restores
from webapp.core.connections import moment_of
from webapp.core.refresh import client_breaker
from webapp.core.refresh.lease import LEASE_SECONDS
from webapp.core.refresh.outcomes import Outcome
from webapp.core.refresh.turns import refresh_one
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, VendorUnavailable
from webapp.lib.secret import Secret
from webapp.models import Connection, Credential, CredentialKind

_POLL_SECONDS = 0.1
_TRIES = 2
_WORTH_ANOTHER_LOOK = {None, Outcome.RENEWED, Outcome.FENCED}


def fresh_access(
    runtime: Runtime,
    connection_id: UUID,
    scope: str = "",
    *,
    min_ttl: float = 60.0,
    refused: Secret | None = None,
) -> Secret:
    """An access token that lives at least `min_ttl` seconds more, as far as the vendor's lifetimes allow.

    `refused` is one that the vendor no longer takes: the answer is another. Raises Conflict when there is no
    grant or the vendor refuses it, VendorUnavailable when it cannot be renewed now.
    """
    end = time.monotonic() + LEASE_SECONDS
    outcome, tries = None, 0
    while True:
        with runtime.database.read() as session:
            credential, now = _grant(session, connection_id, scope), moment_of(session)
            stopped = _stopped(session, connection_id) or restores.read_held(session) is not None
        access = credentials.open_parts(runtime.vault, credential)["access_token"]
        usable = _alive(credential, now) and access != refused
        if usable and is_fresh(credential, now, min_ttl):
            return access
        if stopped or tries == _TRIES or outcome not in _WORTH_ANOTHER_LOOK or time.monotonic() > end:
            break
        outcome = refresh_one(runtime, credential.id, generation=credential.generation)
        if outcome is None:
            time.sleep(_POLL_SECONDS)  # somebody else is at it: theirs will do
        else:
            tries += 1
    if usable:
        return access
    raise _failure(outcome)


def is_fresh(credential: Credential, now: datetime, min_ttl: float) -> bool:
    """Whether it lives at least `min_ttl` seconds more, as far as the vendor's lifetimes allow."""
    if credential.expires_at is None:
        return True
    return (credential.expires_at - now).total_seconds() >= _wanted(credential, min_ttl)


def _grant(session: Session, connection_id: UUID, scope: str) -> Credential:
    credential = credentials.find(session, connection_id, CredentialKind.GRANT, scope=scope)
    if credential is None or credential.sealed is None:
        raise Conflict("this connection has no such access token")
    return credential


def _alive(credential: Credential, now: datetime) -> bool:
    return credential.expires_at is None or credential.expires_at > now


def _wanted(credential: Credential, min_ttl: float) -> float:
    """Tokens that live for seconds cannot live for a minute more: a third of their life is enough then."""
    if credential.expires_at is None:
        return 0.0
    return min(min_ttl, (credential.expires_at - credential.issued_at).total_seconds() / 3)


def _stopped(session: Session, connection_id: UUID) -> bool:
    return client_breaker.is_stopped(session, session.get_one(Connection, connection_id).client_key)


def _failure(outcome: Outcome | None) -> Conflict | VendorUnavailable:
    if outcome in {Outcome.REFUSED, Outcome.NOTHING}:
        return Conflict("the vendor does not accept this connection's grant: it needs a reconnect")
    return VendorUnavailable("the access token cannot be renewed now; it is tried again by itself")
