"""Connections: their states, why they are in them, and the acts of a person on them.

    active ⇄ degraded      a worker found, or lost, a trouble
    active, degraded → needs_reconnect → active      the vendor refuses for good; a reconnect mends it
    any open state ⇄ paused      a person; what workers find meanwhile shows after the resume
    any open state → disconnected      a person; the end

Locks are taken in one order everywhere: streams, destinations, connections, then what hangs from them.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.core import audit, credentials, destinations, notices, revocation
from webapp.core.audit import Act, Actor
from webapp.core.notices import News
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, NotFound
from webapp.lib.database import db_time
from webapp.models import (
    OPEN_STATES,
    Account,
    Connection,
    ConnectionState,
    Credential,
    CredentialKind,
    Destination,
    Environment,
    Hold,
    Install,
    InstallState,
)
from webapp.providers.base import TakesBack

#: Failures in a row of the daily fetch after which a connection is no longer simply active.
TROUBLED_FETCHES = 3
_REASON_CHARACTERS = 500
_NOT_REVOKED = (
    "The vendor did not confirm that our access is revoked. It is asked again for up to three days, and for "
    "that alone what we held stays sealed here, out of use; to be sure, remove it there by hand."
)
_WORKING = (ConnectionState.ACTIVE, ConnectionState.DEGRADED)


def lock(session: Session, connection_id: UUID) -> Connection:
    """The connection, locked until the transaction ends, whatever its state. Raises NotFound."""
    connection = session.get(Connection, connection_id, with_for_update=True)
    if connection is None:
        raise NotFound
    return connection


def degrade(session: Session, connection_id: UUID, reason: str, *, of_vendor: bool = False) -> None:
    """It works, but something needs a look: `reason` is one sentence. Only a working connection degrades.

    `of_vendor`: the vendor gives no usable answer, perhaps to nobody.
    """
    connection = lock(session, connection_id)
    if connection.state in _WORKING and (connection.state, connection.reason) != (
        ConnectionState.DEGRADED,
        reason[:_REASON_CHARACTERS],
    ):
        _move(session, connection, ConnectionState.DEGRADED, reason, of_vendor=of_vendor)


def recover(session: Session, connection_id: UUID) -> None:
    """Something was mended: active again, unless another trouble is left, which then becomes the reason."""
    connection = lock(session, connection_id)
    if connection.state not in {ConnectionState.DEGRADED, ConnectionState.NEEDS_RECONNECT}:
        return
    if connection.state is ConnectionState.NEEDS_RECONNECT and _grant_trouble(session, connection):
        return
    state, reason = _found(session, connection)
    if (state, reason) != (connection.state, connection.reason):
        _move(session, connection, state, reason)


def mark_needs_reconnect(session: Session, connection_id: UUID, reason: str) -> bool:
    """The vendor refuses for good, so its owner must act; delivery goes on. Whether the state is new."""
    connection = lock(session, connection_id)
    if connection.state not in _WORKING:
        return False
    _move(session, connection, ConnectionState.NEEDS_RECONNECT, reason, of_vendor=False)
    return True


def pause(session: Session, actor: Actor, connection_id: UUID) -> None:
    """Stop delivery by this connection; its grant is kept alive. Raises Conflict unless it is open."""
    destinations.hold_for_connection(session, connection_id)
    connection = lock(session, connection_id)
    _require_open(connection)
    if connection.state is ConnectionState.PAUSED:
        raise Conflict("this connection is paused already")
    connection.state, connection.reason = ConnectionState.PAUSED, "Paused by a person."
    notices.moved(session, connection, News.PAUSED)
    _record(session, actor, Act.PAUSED, connection)


def resume(session: Session, actor: Actor, connection_id: UUID) -> None:
    """Deliver again, from where it stood. Raises Conflict unless it is paused. Ring delivery afterwards."""
    destinations.release_for_connection(session, connection_id)
    connection = lock(session, connection_id)
    if connection.state is not ConnectionState.PAUSED:
        raise Conflict("this connection is not paused")
    connection.state, connection.reason = _found(session, connection)
    notices.moved(session, connection, News.RESUMED)
    _hasten_refused(session, connection_id)
    _record(session, actor, Act.RESUMED, connection)


def refresh_now(session: Session, actor: Actor, connection_id: UUID) -> None:
    """Make every grant of it due. Ring refresh afterwards. Raises Conflict when it has none."""
    connection = lock(session, connection_id)
    _require_open(connection)
    due = session.execute(
        update(Credential)
        .where(
            Credential.connection_id == connection_id,
            Credential.kind == CredentialKind.GRANT,
            Credential.sealed.is_not(None),
        )
        # A leased one is being refreshed at this moment: its holder's clock stays.
        .where(Credential.lease.is_(None) | (Credential.refresh_at <= db_time()))
        .values(refresh_at=db_time())
        .returning(Credential.id)
    )
    if not due.all() and not _has_grant(session, connection_id):
        raise Conflict("this connection has nothing to refresh")
    _record(session, actor, Act.REFRESH_ASKED, connection)


def refetch_environments(session: Session, actor: Actor, connection_id: UUID) -> None:
    """Make its list of environments due. Ring environments afterwards."""
    connection = lock(session, connection_id)
    _require_open(connection)
    if connection.environments_lease is None:
        connection.environments_due_at = moment_of(session)
    _record(session, actor, Act.ENVIRONMENTS_ASKED, connection)


def disconnect(
    runtime: Runtime, actor: Actor, connection_id: UUID, *, given: Mapping[str, str] | None = None
) -> str:
    """End it: forget every secret, let go of its accounts, close its destinations. What to do at the vendor.

    What it held is kept sealed only to be given back: the vendor is asked to revoke it at once, where it can
    be, and again later while it does not confirm. So a crash in between leaves nothing half done.
    With what is `given` for the provider's `take_back_form`, what we made there is deleted. Raises NotFound,
    Conflict when it ended before, and Invalid or VendorError when it cannot be taken back: then nothing has
    changed.
    """
    with runtime.database.read() as session:
        connection = _found_open(session, connection_id)
    left = _take_back(runtime, connection, given or {})
    with runtime.database.write() as session:
        destinations.close_for_connection(session, connection_id)
        connection = lock(session, connection_id)
        _require_open(connection)
        held = revocation.read_held(session, runtime, connection)
        end(session, connection, "Disconnected by a person.", at_the_vendor=left)
        revocation.keep(session, runtime.vault, connection, held)
        _record(session, actor, Act.DISCONNECTED, connection, left)
    revocation.sweep(runtime, connection_id=connection_id)
    with runtime.database.read() as session:
        kept = revocation.kept_until(session, connection_id)
    return f"{_NOT_REVOKED} {left}".strip() if kept else left


def end(session: Session, connection: Connection, reason: str, *, at_the_vendor: str = "") -> None:
    """The part of a disconnect that is about the connection itself; its destinations are the caller's.

    `at_the_vendor` is what is left to do there.
    """
    moment = moment_of(session)
    connection.state, connection.reason = ConnectionState.DISCONNECTED, reason
    connection.disconnected_at = moment
    connection.environments_due_at = connection.environments_lease = None
    notices.moved(session, connection, News.DISCONNECTED, at_the_vendor=at_the_vendor)
    credentials.wipe(session, connection.id)
    session.execute(
        update(Account)
        .where(Account.connection_id == connection.id, Account.released_at.is_(None))
        .values(released_at=moment)
    )
    session.execute(
        update(Install)
        .where(Install.connection_id == connection.id, Install.state.in_(OPEN_STATES))
        .values(state=InstallState.CANCELLED, sealed=None, proofs=None, ending="cancelled")
    )


def _take_back(runtime: Runtime, connection: Connection, given: Mapping[str, str]) -> str:
    """Delete what we made at the vendor, if it can be; what is left to do there."""
    provider: object = runtime.providers.get(connection.provider)
    made = provider.made(connection.details) if isinstance(provider, TakesBack) else ""
    if isinstance(provider, TakesBack) and made and any(given.values()):
        provider.take_back(runtime.http, given, connection.details)
        return ""
    known = runtime.providers.get(connection.provider)
    return f"{made} {known.farewell}".strip() if known else ""


def _found_open(session: Session, connection_id: UUID) -> Connection:
    connection = session.get(Connection, connection_id)
    if connection is None:
        raise NotFound
    _require_open(connection)
    return connection


def _found(session: Session, connection: Connection) -> tuple[ConnectionState, str | None]:
    """What its rows say of its health, and the first trouble they tell of."""
    troubles = (_grant_trouble, _destination_trouble, _list_trouble)
    reason = next(filter(None, (trouble(session, connection) for trouble in troubles)), None)
    return (ConnectionState.DEGRADED, reason) if reason else (ConnectionState.ACTIVE, None)


def _grant_trouble(session: Session, connection: Connection) -> str | None:
    failing = session.scalars(
        select(Credential)
        .where(
            Credential.connection_id == connection.id,
            Credential.kind.in_((CredentialKind.GRANT, CredentialKind.API_TOKEN)),
            Credential.refused_at.is_not(None)
            | ((Credential.failures > 0) & (Credential.expires_at <= db_time())),
        )
        .limit(1)
    ).one_or_none()
    if failing is None:
        return None
    if failing.words is None:
        return "The vendor refuses what this connection holds."
    return f"Its access could not be refreshed: {failing.words}"


def _destination_trouble(session: Session, connection: Connection) -> str | None:
    held = session.scalars(
        select(Destination)
        .join(Environment, Environment.id == Destination.environment_id)
        .join(Account, Account.id == Environment.account_id)
        .where(
            Account.connection_id == connection.id,
            Destination.hold.in_((Hold.KEY_REFUSED, Hold.FAILING)),
            Destination.closed_at.is_(None),
        )
        .limit(1)
    ).one_or_none()
    return f"A destination stands still: {held.reason or held.hold}" if held else None


def _list_trouble(session: Session, connection: Connection) -> str | None:
    if connection.environments_failures < TROUBLED_FETCHES:
        return None
    return "Its environments could not be listed several times in a row."


def _has_grant(session: Session, connection_id: UUID) -> bool:
    return (
        session.scalar(
            select(Credential.id).where(
                Credential.connection_id == connection_id,
                Credential.kind == CredentialKind.GRANT,
                Credential.sealed.is_not(None),
            )
        )
        is not None
    )


def _hasten_refused(session: Session, connection_id: UUID) -> None:
    """A refusal found during the pause is asked once more now, so that the state soon tells the truth."""
    session.execute(
        update(Credential)
        .where(
            Credential.connection_id == connection_id,
            Credential.refused_at.is_not(None),
            Credential.lease.is_(None),
        )
        .values(refresh_at=db_time())
    )


def _require_open(connection: Connection) -> None:
    if connection.state is ConnectionState.DISCONNECTED:
        raise Conflict("this connection is disconnected")


def _move(
    session: Session,
    connection: Connection,
    state: ConnectionState,
    reason: str | None,
    *,
    of_vendor: bool | None = None,
) -> None:
    connection.state, connection.reason = state, reason[:_REASON_CHARACTERS] if reason else None
    notices.follow(session, connection, of_vendor=of_vendor)
    _record(
        session, audit.HITCHPOST, Act.STATE_CHANGED, connection, f"{state.value}: {reason or 'all is well'}"
    )


def _record(session: Session, actor: Actor, act: Act, connection: Connection, detail: str = "") -> None:
    thing = f"connection:{connection.id}"
    audit.record(session, actor, act, thing, connection_id=connection.id, detail=detail)


def moment_of(session: Session) -> datetime:
    """The database's clock, now."""
    return session.execute(select(db_time())).scalar_one()
