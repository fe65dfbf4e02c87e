"""Leases: one holder a destination, so that one request is in flight there at any time.

A lease is a random token in the row; `due_at` is when it runs out. A call to a vendor ends within 12
seconds (webapp.lib.http), a lease lasts 15 and is renewed before a call once it is a second old: so it
outlives every call, and no thread has to renew it meanwhile. A holder that was frozen longer is fenced:
whatever it settles is discarded.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Row, and_, case, null, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from webapp.core.streams import attempts
from webapp.errors import Fenced
from webapp.lib.database import db_time
from webapp.models import AttemptOutcome, Destination

LEASE_SECONDS = 15.0
#: a younger lease outlives a call as it is
_FRESH_SECONDS = 1.0
#: what a settle may change in a Lease
_FOLLOWED = (
    *("cursor_seq", "queued", "failures", "failing_since", "batch_limit"),
    *("witness", "last_delivered_at", "reason", "host", "slow"),
)


@dataclass(slots=True, kw_only=True)
class Lease:
    """A destination as its holder knows it; `follow` keeps it up to date after each settle."""

    destination_id: UUID
    stream_id: UUID
    environment_id: UUID
    kind: str
    settings: dict[str, Any]
    settings_version: int
    lease_token: UUID
    cursor_seq: int
    #: up to here freshness does not count
    exempt_seq: int
    queued: int
    failures: int
    failing_since: datetime | None
    batch_limit: int | None
    witness: str | None
    last_delivered_at: datetime | None
    reason: str | None
    host: str | None
    slow: bool
    #: what is next may have been taken already
    unsure: bool
    #: the database's clock when it was leased, and this process's
    taken_at: datetime
    renewed: float

    def follow(self, row: Row[Any], start: float) -> bool:
        """Take over what `settle` gave back, once it is committed; False when the lease ended with it."""
        for name in _FOLLOWED:
            setattr(self, name, getattr(row, name))
        self.renewed = start
        return row.lease_token is not None

    @property
    def is_fresh(self) -> bool:
        """Whether it outlives a call that starts now."""
        return time.monotonic() - self.renewed < _FRESH_SECONDS


def is_due() -> ColumnElement[bool]:
    """Which destinations are due now."""
    # A scalar subquery: a clock that moves inside the statement would keep the index on due_at from being
    # used.
    return Destination.due_at <= select(db_time()).scalar_subquery()


def lease_next(session: Session, owner: str, *among: ColumnElement[bool]) -> Lease | None:
    """Lease the destination that is due longest; None when none is. What others hold is skipped.

    Those that do not fulfil all of `among` wait. One that is due and still has a holder was left behind:
    taking it over leaves an Attempt of its own.
    """
    return _lease_first(session, owner, and_(is_due(), *among), Destination.due_at)


def lease_probe(session: Session, owner: str, host: str) -> Lease | None:
    """Lease, due or not, the destination that waits for `host` and has failed there least."""
    waits = and_(Destination.host == host, Destination.awaits_host, Destination.due_at.is_not(None))
    return _lease_first(session, owner, waits, Destination.failures)


def _lease_first(
    session: Session, owner: str, among: ColumnElement[bool], order: InstrumentedAttribute[Any]
) -> Lease | None:
    chosen = (
        select(Destination.id, Destination.lease_token)
        .where(among)
        .order_by(order)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    found = session.execute(chosen).one_or_none()
    if found is None:
        return None
    lease_token, stolen, start = uuid4(), found.lease_token is not None, time.monotonic()
    taken = (
        update(Destination)
        .where(Destination.id == found.id)
        .values(due_at=db_time(LEASE_SECONDS), lease_token=lease_token, lease_owner=owner, awaits_host=False)
        .returning(Destination.__table__, db_time().label("taken_at"))
    )
    if stolen:
        taken = taken.values(unsure=True)
    row = session.connection().execute(taken).one()
    if stolen:
        attempts.record(session, row.id, [_interrupted(row)])
    return _lease(row, start)


def renew(session: Session, lease: Lease, *, seconds: float = LEASE_SECONDS) -> None:
    """Keep it for so many seconds from now on. Raises Fenced when somebody else has it."""
    start = time.monotonic()
    renewed = (
        update(Destination)
        .where(Destination.id == lease.destination_id, Destination.lease_token == lease.lease_token)
        .values(due_at=unless_held(db_time(seconds)))
    )
    if session.connection().execute(renewed).rowcount == 0:
        raise Fenced
    lease.renewed = start


def void_leases(session: Session) -> None:
    """Make whatever is leased due at once: the one process that an SQLite file has just began."""
    session.execute(
        update(Destination)
        .where(Destination.lease_token.is_not(None), Destination.hold.is_(None))
        .values(due_at=db_time())
        .execution_options(synchronize_session=False)
    )


def unless_held(due_at: ColumnElement[datetime] | db_time) -> ColumnElement[datetime | None]:
    """`due_at`, or null while the destination is held: for updates beside a hold that came meanwhile."""
    return case((Destination.hold.is_(None), due_at), else_=null())


def _lease(row: Row[Any], start: float) -> Lease:
    return Lease(
        destination_id=row.id,
        stream_id=row.stream_id,
        environment_id=row.environment_id,
        kind=row.kind,
        settings=row.settings,
        settings_version=row.settings_version,
        lease_token=row.lease_token,
        cursor_seq=row.cursor_seq,
        exempt_seq=row.exempt_seq,
        queued=row.queued,
        failures=row.failures,
        failing_since=row.failing_since,
        batch_limit=row.batch_limit,
        witness=row.witness,
        last_delivered_at=row.last_delivered_at,
        reason=row.reason,
        host=row.host,
        slow=row.slow,
        unsure=row.unsure,
        taken_at=row.taken_at,
        renewed=start,
    )


def _interrupted(row: Row[Any]) -> attempts.Run:
    return attempts.Run(
        first_seq=row.cursor_seq + 1,
        last_seq=row.cursor_seq + 1,
        events=0,
        outcome=AttemptOutcome.INTERRUPTED,
        words="the process that held it went away; a request may have been under way",
        started_at=row.taken_at,
        ended_at=row.taken_at,
    )
