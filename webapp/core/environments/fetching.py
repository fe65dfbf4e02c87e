"""The list, fetched by one holder at a time: leased, asked for with no transaction open, settled."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.core import audit, connections, credentials, notices, refresh, restores
from webapp.core.audit import HITCHPOST, Act
from webapp.core.environments.difference import Diff, apply
from webapp.core.environments.holds import tend
from webapp.core.runtime import Runtime
from webapp.errors import (
    AccessRefused,
    Conflict,
    Fenced,
    HitchpostError,
    VendorAnswerInvalid,
    VendorUnavailable,
)
from webapp.lib.backoff import full_jitter
from webapp.lib.database import db_time
from webapp.lib.secret import Secret
from webapp.models import Connection, ConnectionState, Credential, CredentialKind
from webapp.providers.base import EnvironmentListing, ListsEnvironments

DAY_SECONDS = 86_400.0
#: Longer than a refresh and a list, each with its own deadline, take together.
LEASE_SECONDS = 60.0
_BASE_WAIT, _CAP_WAIT = 300.0, 6 * 3600.0
#: A refusal is believed when it is repeated at least this much later.
_CONFIRM_WAIT, _REFUSALS = 300.0, 2
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class _Lease:
    connection_id: UUID
    id: UUID
    provider: str


def next_fetch_seconds() -> float:
    """A day, spread by a tenth so that crowds thin out."""
    return DAY_SECONDS * random.uniform(0.9, 1.1)  # noqa: S311 - spreading load, not keeping a secret


def fetch(runtime: Runtime, connection_id: UUID) -> Diff:
    """Fetch the list now and apply it; if somebody is at it already, wait for theirs: then nothing differs.

    Raises Conflict for a connection without a list, and whatever the vendor's refusal is.
    """
    lease = _take(runtime, connection_id)
    if lease is None:
        _wait(runtime, connection_id)
        return Diff()
    return _fetch(runtime, lease)


def sweep(runtime: Runtime, *, limit: int = 100) -> int:
    """Fetch the lists that are due, one after another; how many."""
    if restores.is_held(runtime):
        return 0
    done = 0
    while done < limit and (lease := _take(runtime, None)) is not None:
        done += 1
        try:
            _fetch(runtime, lease)
        except HitchpostError:
            continue  # written to its row and its timeline already
    return done


def _take(runtime: Runtime, connection_id: UUID | None) -> _Lease | None:
    """Lease that connection, or whichever is due; None when there is none or somebody holds it."""
    free = Connection.environments_lease.is_(None) | (Connection.environments_due_at <= db_time())
    # The condition stands on the row itself: PostgreSQL checks it again after waiting for another's lock.
    wanted: ColumnElement[bool] = (
        (Connection.id == connection_id) & free & (Connection.state != ConnectionState.DISCONNECTED)
    )
    if connection_id is None:
        due = select(Connection.id).where(
            Connection.environments_due_at <= db_time(), Connection.state != ConnectionState.DISCONNECTED
        )
        # As a scalar: behind IN, PostgreSQL may run it once a row, each time with another row unlocked.
        due = due.order_by(Connection.environments_due_at).limit(1).with_for_update(skip_locked=True)
        wanted = Connection.id == due.scalar_subquery()
    lease_id = uuid4()
    taken = (
        update(Connection)
        .where(wanted)
        .values(environments_due_at=db_time(LEASE_SECONDS), environments_lease=lease_id)
        .returning(Connection.id, Connection.provider)
        .execution_options(synchronize_session=False)
    )
    with runtime.database.write() as session:
        row = session.execute(taken).one_or_none()
    return None if row is None else _Lease(row[0], lease_id, row[1])


def _fetch(runtime: Runtime, lease: _Lease) -> Diff:
    try:
        listings = _ask(runtime, lease)
        diff = _settle(runtime, lease, listings)
    except HitchpostError as error:
        _fail(runtime, lease, error)
        raise
    tend(runtime, lease.connection_id, diff, renewed=_is_of_api_token(runtime, lease))
    return diff


def _is_of_api_token(runtime: Runtime, lease: _Lease) -> bool:
    """Whether asking for the list has shown that what events are sent with is good."""
    provider = runtime.providers.get(lease.provider)
    return isinstance(provider, ListsEnvironments) and provider.lists_with[0] == CredentialKind.API_TOKEN


def _ask(runtime: Runtime, lease: _Lease) -> tuple[EnvironmentListing, ...]:
    provider = runtime.providers.get(lease.provider)
    if not isinstance(provider, ListsEnvironments):
        raise Conflict("this provider lists no environments")
    with runtime.database.read() as session:
        details = session.get_one(Connection, lease.connection_id).details
    kind, scope = provider.lists_with
    if kind == CredentialKind.API_TOKEN:
        listings = provider.list_environments(runtime.http, _api_token(runtime, lease, scope), details)
    else:
        listings = _list_with_grant(runtime, lease, provider, scope, details)
    if not listings:
        raise VendorAnswerInvalid("the vendor's list of environments is empty; nothing was changed")
    return listings


def _list_with_grant(
    runtime: Runtime, lease: _Lease, provider: ListsEnvironments, scope: str, details: Mapping[str, Any]
) -> tuple[EnvironmentListing, ...]:
    access = refresh.fresh_access(runtime, lease.connection_id, scope)
    try:
        return provider.list_environments(runtime.http, {"access_token": access}, details)
    except AccessRefused:
        # The clock said it lives; the vendor knows better: one forced refresh, then one more try.
        access = refresh.fresh_access(runtime, lease.connection_id, scope, refused=access)
        return provider.list_environments(runtime.http, {"access_token": access}, details)


def _api_token(runtime: Runtime, lease: _Lease, scope: str) -> Mapping[str, Secret]:
    with runtime.database.read() as session:
        api_token = credentials.find(session, lease.connection_id, CredentialKind.API_TOKEN, scope=scope)
    if api_token is None or api_token.sealed is None:
        raise Conflict("this connection has no API token")
    return credentials.open_parts(runtime.vault, api_token)


def _settle(runtime: Runtime, lease: _Lease, listings: tuple[EnvironmentListing, ...]) -> Diff:
    try:
        with runtime.database.write() as session:
            connection = connections.lock(session, lease.connection_id)
            if connection.environments_lease != lease.id:
                raise Fenced
            diff = apply(session, runtime.vault, connection, listings)
            for one in listings:
                connection.details = {**connection.details, **one.details}
            _mark_api_tokens(session, connection.id, None)
            connection.environments_lease = None
            connection.environments_failures = 0
            connection.environments_fetched_at = connections.moment_of(session)
            connection.environments_due_at = connection.environments_fetched_at + timedelta(
                seconds=next_fetch_seconds()
            )
            if diff != Diff():
                _record(session, lease.connection_id, Act.ENVIRONMENTS_CHANGED, str(diff))
    except IntegrityError:
        # A confirmation wrote the same environments a moment before.
        raise Fenced from None
    return diff


def _fail(runtime: Runtime, lease: _Lease, error: HitchpostError) -> None:
    words = str(error)
    with runtime.database.write() as session:
        connection = connections.lock(session, lease.connection_id)
        if connection.environments_lease != lease.id:
            return
        connection.environments_lease = None
        connection.environments_failures += 1
        wait = full_jitter(connection.environments_failures, base=_BASE_WAIT, cap=_CAP_WAIT)
        if isinstance(error, VendorUnavailable):
            wait = max(wait, error.retry_after or 0.0)
        if isinstance(error, AccessRefused):
            wait = max(wait, _CONFIRM_WAIT)
            _mark_api_tokens(session, connection.id, connections.moment_of(session))
        connection.environments_due_at = connections.moment_of(session) + timedelta(seconds=wait)
        if connection.environments_failures == 1:
            _record(session, lease.connection_id, Act.ENVIRONMENTS_FAILED, words)
        if isinstance(error, AccessRefused) and connection.environments_failures >= _REFUSALS:
            _needs_reconnect(session, connection, words)
        elif connection.environments_failures >= connections.TROUBLED_FETCHES:
            of_vendor = isinstance(error, VendorUnavailable | VendorAnswerInvalid)
            said = f"Its environments cannot be listed: {words}"
            connections.degrade(session, connection.id, said, of_vendor=of_vendor)


def _mark_api_tokens(session: Session, connection_id: UUID, refused_at: datetime | None) -> None:
    """Note when an API token was refused, or that it is good: nothing else tells, as it has no expiry."""
    session.execute(
        update(Credential)
        .where(Credential.connection_id == connection_id, Credential.kind == CredentialKind.API_TOKEN)
        .values(refused_at=refused_at)
        .execution_options(synchronize_session=False)
    )


def _needs_reconnect(session: Session, connection: Connection, words: str) -> None:
    """Refused twice, minutes apart, and no refresh helped: only its owner can mend it."""
    reason = f"{connection.provider} no longer accepts our access to this account: {words}"
    if connections.mark_needs_reconnect(session, connection.id, reason):
        notices.tell(
            session,
            dedupe_key=f"needs_reconnect:{connection.id}:list:{connection.environments_fetched_at}",
            kind="needs_reconnect",
            user_id=connection.user_id,
            connection_id=connection.id,
            text=f"{connection.label} at {connection.provider} needs you to reconnect: {words}. "
            "Reconnecting keeps every destination and its place.",
        )


def _wait(runtime: Runtime, connection_id: UUID) -> None:
    """Until the holder of the lease is done. Raises Conflict when there is no such list to wait for."""
    end = time.monotonic() + LEASE_SECONDS
    while time.monotonic() < end:
        with runtime.database.read() as session:
            connection = session.get(Connection, connection_id)
        if connection is None or connection.state is ConnectionState.DISCONNECTED:
            raise Conflict("this connection is disconnected")
        if connection.environments_lease is None:
            if connection.environments_failures:
                raise VendorUnavailable("the environments could not be listed a moment ago")
            return
        time.sleep(_POLL_SECONDS)
    raise Fenced("somebody else has been fetching this list for too long; try again")


def _record(session: Session, connection_id: UUID, act: Act, detail: str) -> None:
    thing = f"connection:{connection_id}"
    audit.record(session, HITCHPOST, act, thing, connection_id=connection_id, detail=detail)
