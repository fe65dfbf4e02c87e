"""Revocation: what a vendor granted is given back to it, where it takes it back (RFC 7009).

A vendor that does not confirm is asked again for three days. For that alone what is to be given back stays
sealed, in a row of its own that no refresh, delivery or hand-out looks at, and that is deleted at the end.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.core import audit, credentials, notices, restores
from webapp.core.audit import Act
from webapp.core.runtime import Runtime
from webapp.errors import HitchpostError, VaultError, VendorError, VendorUnavailable
from webapp.lib.backoff import full_jitter
from webapp.lib.database import db_time
from webapp.lib.ids import uuid7
from webapp.lib.secret import Secret
from webapp.lib.vault import Vault
from webapp.models import Connection, Credential, Revocation
from webapp.providers.base import Revokes

#: How long a vendor is asked again: then it is given up, and the owner told.
TRIED_FOR = timedelta(days=3)
#: Several times the deadline of a call: only a holder that stood still loses its lease.
_LEASE_SECONDS = 60.0
_BASE_WAIT, _CAP_WAIT = 60.0, 6 * 3600.0


def read_held(session: Session, runtime: Runtime, connection: Connection) -> list[Mapping[str, Secret]]:
    """The parts of what there is to give back; nothing where the vendor takes nothing.

    What cannot be opened cannot be given back, and must not keep a connection from its end.
    """
    if not isinstance(runtime.providers.get(connection.provider), Revokes):
        return []
    rows = session.scalars(
        select(Credential).where(
            Credential.connection_id == connection.id,
            Credential.environment_id.is_(None),
            Credential.sealed.is_not(None),
        )
    )
    held: list[Mapping[str, Secret]] = []
    for row in rows:
        with suppress(VaultError):
            held.append(credentials.open_parts(runtime.vault, row))
    return held


def keep(
    session: Session, vault: Vault, connection: Connection, held: Iterable[Mapping[str, Secret]]
) -> None:
    """Seal the parts of what is to be given back into rows of its own, due at once."""
    due_at = session.execute(select(db_time())).scalar_one()
    for parts in held:
        row = Revocation(id=uuid7(), connection_id=connection.id, due_at=due_at)
        credentials.seal_for_revocation(vault, row, parts)
        session.add(row)


def give_back_late(runtime: Runtime, connection: Connection, parts: Mapping[str, Secret]) -> None:
    """Give back what came when the connection had ended: kept first, so that no crash leaves it alive."""
    if isinstance(runtime.providers.get(connection.provider), Revokes):
        with runtime.database.write() as session:
            keep(session, runtime.vault, connection, [parts])
        sweep(runtime, connection_id=connection.id)


def sweep(runtime: Runtime, *, connection_id: UUID | None = None) -> None:
    """Give back what is due, of one connection or of all. Any number of sweeps may run at once."""
    if connection_id is None and restores.is_held(runtime):
        return
    while (row := _take_due(runtime, connection_id)) is not None:
        with runtime.database.read() as session:
            connection = session.get_one(Connection, row.connection_id)
        fault: HitchpostError | None
        try:
            fault = _ask(runtime, connection, credentials.open_for_revocation(runtime.vault, row))
        except VaultError as error:
            fault = error
        _settle(runtime, row, fault)


def kept_until(session: Session, connection_id: UUID) -> datetime | None:
    """Until when at most something of it is kept sealed to be given back; None: nothing is."""
    youngest = select(Revocation.created_at).where(Revocation.connection_id == connection_id)
    made_at = session.scalar(youngest.order_by(Revocation.created_at.desc()).limit(1))
    return None if made_at is None else made_at + TRIED_FOR


def _ask(runtime: Runtime, connection: Connection, parts: Mapping[str, Secret]) -> VendorError | None:
    """One try; what the vendor said against it."""
    provider = runtime.providers.get(connection.provider)
    if not isinstance(provider, Revokes):
        return VendorUnavailable(f"this instance is not set up for {connection.provider}", sent=False)
    try:
        provider.revoke(runtime.http, parts, connection.details)
    except VendorError as error:
        return error
    return None


def _take_due(runtime: Runtime, connection_id: UUID | None) -> Revocation | None:
    due = select(Revocation.id).where(Revocation.due_at <= db_time())
    if connection_id is not None:
        due = due.where(Revocation.connection_id == connection_id)
    with runtime.database.read() as session:
        if session.scalar(due.limit(1)) is None:
            return None
    # As a scalar: behind IN, PostgreSQL may run it once a row, each time with another row unlocked.
    due = due.order_by(Revocation.due_at).limit(1).with_for_update(skip_locked=True)
    taken = (
        update(Revocation)
        .where(Revocation.id == due.scalar_subquery())
        .values(lease=uuid4(), due_at=db_time(_LEASE_SECONDS), tries=Revocation.tries + 1)
        .returning(Revocation)
        .execution_options(synchronize_session=False)
    )
    with runtime.database.write() as session:
        return session.scalars(taken).one_or_none()


def _settle(runtime: Runtime, row: Revocation, fault: HitchpostError | None) -> None:
    """Wipe it when it is done or hopeless, else try again later."""
    with runtime.database.write() as session:
        connection = session.get(Connection, row.connection_id, with_for_update=True)
        held = session.get(Revocation, row.id, with_for_update=True)
        if connection is None or held is None or held.lease != row.lease:
            return
        now = session.execute(select(db_time())).scalar_one()
        if fault is not None and now - held.created_at < TRIED_FOR:
            wait = full_jitter(held.tries, base=_BASE_WAIT, cap=_CAP_WAIT)
            asked = fault.retry_after if isinstance(fault, VendorUnavailable) else None
            later = now + timedelta(seconds=max(wait, asked or 0.0))
            held.lease, held.due_at = None, min(later, held.created_at + TRIED_FOR)
            return
        session.delete(held)
        if fault is None:
            _record(session, connection, Act.REVOKED, "The vendor confirmed that our access has ended.")
        else:
            _give_up(session, runtime, connection, fault)


def _give_up(session: Session, runtime: Runtime, connection: Connection, fault: HitchpostError) -> None:
    _record(session, connection, Act.NOT_REVOKED, f"Given up after three days, and wiped: {fault}")
    provider = runtime.providers.get(connection.provider)
    farewell = provider.farewell if provider else ""
    text = (
        f"{connection.label} at {connection.provider} is disconnected, and what we held is wiped here; but "
        "the vendor did not confirm within three days that our access has ended. Remove it there by hand. "
    )
    notices.tell(
        session,
        dedupe_key=f"not_revoked:{connection.id}",
        kind="connection.not_revoked",
        user_id=connection.user_id,
        connection_id=connection.id,
        text=f"{text}{farewell}".strip(),
    )


def _record(session: Session, connection: Connection, act: Act, detail: str) -> None:
    thing = f"connection:{connection.id}"
    audit.record(session, audit.HITCHPOST, act, thing, connection_id=connection.id, detail=detail)
