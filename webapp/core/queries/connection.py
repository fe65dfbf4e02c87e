"""One connection in full: environments, what forwards to them, and credentials without secrets."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core import revocation
from webapp.core.queries.connections import ConnectionRow, rows_of
from webapp.core.queries.destinations import DestinationQuery, DestinationRow, list_destinations
from webapp.core.queries.paging import MOST_ROWS
from webapp.errors import NotFound
from webapp.models import (
    Account,
    Connection,
    Credential,
    CredentialKind,
    Environment,
    EnvironmentState,
    User,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRow:
    """What may be told of a credential: never more than an age and a fingerprint."""

    id: UUID
    environment_id: UUID | None
    kind: CredentialKind
    scope: str
    fingerprint: str
    generation: int
    issued_at: datetime
    expires_at: datetime | None
    refresh_at: datetime | None
    refreshed_at: datetime | None
    failures: int
    words: str | None
    #: its secret is gone
    wiped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRow:
    """One environment of the account, the key events are sent with, and the destinations there."""

    id: UUID
    account_key: str
    vendor_key: str
    state: EnvironmentState
    missing_since: datetime | None
    key: CredentialRow | None
    destinations: tuple[DestinationRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionDetail:
    """A connection's own page."""

    row: ConnectionRow
    details: Mapping[str, Any]
    environments_due_at: datetime | None
    environments_fetched_at: datetime | None
    environments_failures: int
    disconnected_at: datetime | None
    #: until when at most something stays sealed, so that the vendor can be asked again to revoke it
    revoking_until: datetime | None
    #: of the connection as a whole; an environment's key stands with it
    credentials: tuple[CredentialRow, ...]
    environments: tuple[EnvironmentRow, ...]


def find_connection(session: Session, owner_id: UUID | None, connection_id: UUID) -> ConnectionDetail:
    """Everything about one. Raises NotFound when there is none or it is somebody else's."""
    chosen = (
        select(Connection, User)
        .join(User, User.id == Connection.user_id)
        .where(Connection.id == connection_id)
    )
    if owner_id is not None:
        chosen = chosen.where(Connection.user_id == owner_id)
    found = session.execute(chosen).one_or_none()
    if found is None:
        raise NotFound("There is no such connection.")
    credentials = _credentials(session, connection_id)
    return ConnectionDetail(
        row=rows_of(session, [(found.Connection, found.User)])[0],
        details=found.Connection.details,
        environments_due_at=found.Connection.environments_due_at,
        environments_fetched_at=found.Connection.environments_fetched_at,
        environments_failures=found.Connection.environments_failures,
        disconnected_at=found.Connection.disconnected_at,
        revoking_until=revocation.kept_until(session, connection_id),
        credentials=tuple(row for row in credentials if row.environment_id is None),
        environments=_environments(session, connection_id, credentials),
    )


def _credentials(session: Session, connection_id: UUID) -> list[CredentialRow]:
    chosen = (
        select(Credential).where(Credential.connection_id == connection_id).order_by(Credential.created_at)
    )
    return [_credential(credential) for credential in session.execute(chosen).scalars()]


def _credential(credential: Credential) -> CredentialRow:
    return CredentialRow(
        id=credential.id,
        environment_id=credential.environment_id,
        kind=credential.kind,
        scope=credential.scope,
        fingerprint=credential.fingerprint,
        generation=credential.generation,
        issued_at=credential.issued_at,
        expires_at=credential.expires_at,
        refresh_at=credential.refresh_at,
        refreshed_at=credential.refreshed_at,
        failures=credential.failures,
        words=credential.words,
        wiped=credential.sealed is None,
    )


def _environments(
    session: Session, connection_id: UUID, credentials: list[CredentialRow]
) -> tuple[EnvironmentRow, ...]:
    keys = {row.environment_id: row for row in credentials if row.environment_id is not None}
    listed = list_destinations(
        session, DestinationQuery(owner_id=None, connection_id=connection_id, limit=MOST_ROWS)
    )
    chosen = (
        select(Environment, Account.account_key)
        .join(Account, Account.id == Environment.account_id)
        .where(Account.connection_id == connection_id)
        .order_by(Account.account_key, Environment.vendor_key)
    )
    return tuple(
        EnvironmentRow(
            id=environment.id,
            account_key=account_key,
            vendor_key=environment.vendor_key,
            state=environment.state,
            missing_since=environment.missing_since,
            key=keys.get(environment.id),
            destinations=tuple(row for row in listed.rows if row.environment_id == environment.id),
        )
        for environment, account_key in session.execute(chosen)
    )


def require_connection(session: Session, owner_id: UUID | None, connection_id: UUID) -> Connection:
    """The row alone, for an act on it. Raises NotFound when there is none or it is somebody else's."""
    connection = session.get(Connection, connection_id)
    if connection is None or (owner_id is not None and connection.user_id != owner_id):
        raise NotFound("There is no such connection.")
    return connection
