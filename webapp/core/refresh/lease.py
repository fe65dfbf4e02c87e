"""Who may refresh a credential now: a lease in its row, on the database's clock.

With the lease goes the intent, `asked_at`: whoever finds it after a crash knows that a call may have gone
out. A lease that ran out is called before it is taken over, so that a living holder with an answer in hand
(the database was away) lands it first.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import Any, TypeAlias
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Select, bindparam, func, select, update
from sqlalchemy.orm import Session

from webapp.core import breakers, credentials, restores
from webapp.core.refresh import answers, client_breaker, pace
from webapp.core.runtime import Runtime
from webapp.lib.database import db_time
from webapp.lib.secret import Secret
from webapp.models import Breaker, Connection, Credential

#: A wait for the slot and a call; no call goes on beyond it. Short, since what a killed holder had in hand is
#: best asked for again while the vendor still takes the spent token: for half a minute, at many of them.
LEASE_SECONDS = 20.0
#: How long a holder whose lease ran out has to land an answer, once it is called.
CALLED_SECONDS = 3.0
#: No call lasts to the very end of its lease.
_MARGIN_SECONDS = 2.0
#: How far ahead a slot of the Client may be: for a sweep, and for somebody who waits.
_AHEAD_SWEEPING, _AHEAD_WAITED_FOR = 1.0, 5.0
#: What is looked at: so many of those due the longest, and of them so many that end first.
_WINDOW, _LOOK = 10_000, 32
#: Of those, so many are chosen from at a time: few, as each costs a look, and some, as others choose too.
_AMONG = 8
#: The lease of nobody: its holder was called and is silent.
_CALLED = UUID(int=0)


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
    #: since when an earlier refresh may be out whose answer never came here
    asked_at: datetime | None
    #: seconds until the Client's slot for this refresh comes
    wait: float
    #: when no call may go on any more (monotonic)
    ends: float
    #: sealed, and opened only for the call
    credential: Credential = field(repr=False)

    def open(self, runtime: Runtime) -> Mapping[str, Secret]:
        """The credential's parts in plain. Raises VaultError when the seal does not hold."""
        return credentials.open_parts(runtime.vault, self.credential)


class Kept(Enum):
    """Why a credential that is due cannot be leased now."""

    #: its holder was called
    CALLED = auto()
    #: the Client's next slot is too far off, or somebody else probes it
    CLIENT = auto()


@dataclass(frozen=True, slots=True)
class _Found:
    """What one look brings: the credential, locked; whose it is; whether its Client's breaker has tripped."""

    credential: Credential
    provider: str
    client_key: str
    details: Mapping[str, Any]
    tripped: bool | None


_Usable: TypeAlias = Select[Credential, str, str, dict[str, Any]]


class Queue:
    """What is due, in the order in which it ends: so tokens are dead for the shortest time in all."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._seen: list[UUID] = []
        self._passed: set[str] = set()

    def take(self) -> Lease | None:
        """Lease the next one; None when there is none that may be refreshed now."""
        if restores.is_held(self._runtime):
            return None
        looked = False
        while self._seen or not looked:
            if not self._seen:
                self._seen, looked = self.look(), True
                continue
            taken = self._choose()
            if isinstance(taken, Lease):
                return taken
        return None

    def look(self) -> list[UUID]:
        """Those to choose from, which others may take meanwhile: one read, however many credentials wait."""
        with self._runtime.database.read() as session:
            found = session.scalars(_LOOK_AT, {"passed": list(self._passed)})
            return [one for one in found if not answers.at_work_on(one)]

    def _choose(self) -> Lease | Kept | None:
        among = self._seen[:_AMONG]
        # Always as many, the last one again and again: one statement, prepared once.
        seen = among + among[-1:] * (_AMONG - len(among))
        with self._runtime.database.write() as session:
            row = session.execute(_NEXT, {"passed": list(self._passed), "seen": seen}).one_or_none()
            if row is None:
                del self._seen[:_AMONG]
                return None
            found = _Found(*row)
            taken = _hold(session, self._runtime, found, ahead=_AHEAD_SWEEPING)
        if taken is Kept.CLIENT:
            self._passed.add(found.client_key)
        self._seen.remove(found.credential.id)
        return taken


def take_one(
    runtime: Runtime, credential_id: UUID, *, generation: int | None = None, past_breaker: bool = False
) -> Lease | None:
    """Lease this credential, due or not; None when somebody holds it or its Client is stopped.

    `generation` is the one that is not wanted any more: None also when it was renewed since. `past_breaker`
    is for a sample, which finds out whether the Client would work.
    """
    if restores.is_held(runtime) or answers.at_work_on(credential_id):
        return None
    free = Credential.lease.is_(None) | (Credential.refresh_at <= db_time())
    if generation is not None:
        free &= Credential.generation == generation
    with runtime.database.write() as session:
        usable = _held() if past_breaker else _open()
        row = session.execute(_first(usable.where(Credential.id == credential_id, free))).one_or_none()
        if row is None:
            return None
        found = _Found(*row)
        if past_breaker:
            found = replace(found, tripped=None)
        taken = _hold(session, runtime, found, ahead=_AHEAD_WAITED_FOR)
        return taken if isinstance(taken, Lease) else None


def void_leases(session: Session) -> None:
    """Make whatever is leased due at once: the one process that an SQLite file has just began."""
    session.execute(
        update(Credential)
        .where(Credential.lease.is_not(None))
        .values(lease=_CALLED, refresh_at=db_time())
        .execution_options(synchronize_session=False)
    )


def _held() -> _Usable:
    """Credentials that hold something."""
    return (
        select(Credential, Connection.provider, Connection.client_key, Connection.details)
        .join(Connection, Connection.id == Credential.connection_id)
        .where(Credential.sealed.is_not(None))
    )


def _open() -> _Usable:
    """Those of Clients that are not stopped."""
    return _held().where(Connection.client_key.not_in(client_breaker.stopped()))


def _due() -> _Usable:
    """Those that are due, of Clients that are not `passed`."""
    # A scalar subquery: a clock that moves inside the statement would keep the index from being used.
    due: ColumnElement[bool] = Credential.refresh_at <= select(db_time()).scalar_subquery()
    return _open().where(due, Connection.client_key.not_in(bindparam("passed", expanding=True)))


def _first(query: _Usable) -> Select[Credential, str, str, dict[str, Any], bool]:
    """The one of them that ends first, locked: what a _Found is made of."""
    return (
        query.add_columns(breakers.is_tripped())
        .outerjoin(Breaker, client_breaker.of_connection())
        .order_by(Credential.expires_at)
        .limit(1)
        .with_for_update(skip_locked=True, of=Credential)
    )


def _look_at() -> Select[UUID]:
    window = (
        _due()
        .with_only_columns(Credential.id, Credential.expires_at)
        .order_by(Credential.refresh_at)
        .limit(_WINDOW)
        .subquery()
    )
    return select(window.c.id).order_by(window.c.expires_at).limit(_LOOK)


# Built once: building them costs as much as asking.
_LOOK_AT = _look_at()
_NEXT = _first(_due().where(Credential.id.in_(bindparam("seen", expanding=True))))


def _hold(session: Session, runtime: Runtime, found: _Found, *, ahead: float) -> Lease | Kept:
    credential = found.credential
    written = session.connection()
    if credential.lease not in {None, _CALLED}:
        written.execute(_CALL, {"of": credential.id})
        return Kept.CALLED
    began = time.monotonic()
    per_second = runtime.settings.refreshes_per_second
    wait = pace.reserve(session, found.client_key, per_second=per_second, ahead=ahead)
    if wait is None or (found.tripped and not client_breaker.pass_by(session, found.client_key)):
        return Kept.CLIENT
    lease = Lease(
        id=uuid4(),
        credential_id=credential.id,
        connection_id=credential.connection_id,
        provider=found.provider,
        client_key=found.client_key,
        scope=credential.scope,
        details=found.details,
        generation=credential.generation,
        asked_at=credential.asked_at,
        wait=wait,
        ends=began + LEASE_SECONDS - _MARGIN_SECONDS,
        credential=credential,
    )
    written.execute(_LEASE, {"of": credential.id, "to": lease.id})
    return lease


_ONE = update(Credential).where(Credential.id == bindparam("of"))
_CALL = _ONE.values(lease=_CALLED, refresh_at=db_time(CALLED_SECONDS))
_LEASE = _ONE.values(
    lease=bindparam("to"),
    refresh_at=db_time(LEASE_SECONDS),
    asked_at=func.coalesce(Credential.asked_at, db_time()),
)
