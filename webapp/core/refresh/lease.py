"""Who may refresh a credential now: a lease in its row, on the database's clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from webapp.core import credentials
from webapp.core.refresh import client_breaker
from webapp.core.runtime import Runtime
from webapp.lib.database import db_time
from webapp.lib.secret import Secret
from webapp.models import Connection, Credential

#: Several times the deadline of a call: only a holder that stood still loses its lease.
LEASE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One credential to refresh, and what its provider needs for that."""

    id: UUID
    credential_id: UUID
    connection_id: UUID
    provider: str
    client_key: str
    scope: str
    details: Mapping[str, Any]
    generation: int
    #: sealed, and opened only for the call
    credential: Credential = field(repr=False)

    def open(self, runtime: Runtime) -> Mapping[str, Secret]:
        """The credential's parts in plain. Raises VaultError when the seal does not hold."""
        return credentials.open_parts(runtime.vault, self.credential)


def take_due(runtime: Runtime) -> Lease | None:
    """Lease the credential that has been due the longest; None when none is."""
    due = Credential.refresh_at <= db_time()
    with runtime.database.read() as session:
        if session.scalar(select(Credential.id).where(due).limit(1)) is None:
            return None
    with runtime.database.write() as session:
        blocked = client_breaker.blocked(session)
        while (lease := _candidate(session, due, blocked)) is not None:
            if client_breaker.enter(session, lease.client_key):
                return _hold(session, lease)
            blocked |= {lease.client_key}
        return None


def take_one(runtime: Runtime, credential_id: UUID, *, generation: int | None = None) -> Lease | None:
    """Lease this credential, due or not; None when somebody holds it or its Client is stopped.

    `generation` is the one that is not wanted any more: None also when it was renewed since.
    """
    free = Credential.lease.is_(None) | (Credential.refresh_at <= db_time())
    if generation is not None:
        free &= Credential.generation == generation
    with runtime.database.write() as session:
        lease = _candidate(session, (Credential.id == credential_id) & free, client_breaker.blocked(session))
        if lease is None or not client_breaker.enter(session, lease.client_key):
            return None
        return _hold(session, lease)


def _candidate(session: Session, wanted: ColumnElement[bool], blocked: frozenset[str]) -> Lease | None:
    query = (
        select(Credential, Connection)
        .join(Connection, Connection.id == Credential.connection_id)
        .where(wanted, Credential.sealed.is_not(None), Connection.client_key.not_in(blocked))
        .order_by(Credential.refresh_at)
        .limit(1)
        .with_for_update(skip_locked=True, of=Credential)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        return None
    credential, connection = row
    return Lease(
        id=uuid4(),
        credential_id=credential.id,
        connection_id=connection.id,
        provider=connection.provider,
        client_key=connection.client_key,
        scope=credential.scope,
        details=connection.details,
        generation=credential.generation,
        credential=credential,
    )


def _hold(session: Session, lease: Lease) -> Lease:
    session.execute(
        update(Credential)
        .where(Credential.id == lease.credential_id)
        .values(lease=lease.id, refresh_at=db_time(LEASE_SECONDS))
        .execution_options(synchronize_session=False)
    )
    return lease
