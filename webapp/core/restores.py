"""Restores: an instance on a restored or copied database calls nobody until an operator releases it.

What such a database remembers is of the past: refresh tokens that a vendor has rotated since, events that
were sent already, and perhaps the original still runs. So nothing is delivered, refreshed, fetched, revoked
or told; events are taken all the same, since they are as safe in it as in any other.

The database remembers where it is. One that finds itself elsewhere holds itself; where that cannot be seen (a
PITR of the whole cluster, a folder put back whole) the operator says so: `hitchpost restore mark`.
"""

import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.core.audit import HITCHPOST, Act, record
from webapp.core.runtime import Bell, Runtime
from webapp.errors import Conflict
from webapp.lib import logs, whereabouts
from webapp.lib.database import db_time
from webapp.models import Instance

log = logs.get(__name__)

_ID = UUID("1d570000-0000-4000-8000-000000000001")
_THING = f"instance:{_ID}"
_MOVED = "its database is a copy, or was restored: it is not where it was, or older than what was beside it"
_SAID = "an operator said that its database was restored"
#: how long a look holds good, in seconds: a database is not replaced between two events
GOOD_SECONDS = 0.5
_good_until: dict[UUID, float] = {}


@dataclass(frozen=True, slots=True)
class Held:
    """Since when this instance calls nobody, and why."""

    at: datetime
    reason: str

    def __str__(self) -> str:
        return (
            f"held since {self.at:%Y-%m-%d %H:%M} UTC: {self.reason}. Nothing is delivered or refreshed; "
            "look at `hitchpost doctor`, then `hitchpost restore release`"
        )


def is_held(runtime: Runtime) -> bool:
    """Whether nothing may be called; a database that finds itself elsewhere is held from now on."""
    now = time.monotonic()
    if now < _good_until.get(runtime.process_id, 0.0):
        return False
    with runtime.database.read() as session:
        row = session.get(Instance, _ID)
        good = row is not None and row.held_at is None and _fits(session, runtime, row)
    if good or not _hold_if_moved(runtime):
        _good_until[runtime.process_id] = now + GOOD_SECONDS
        return False
    return True


def read_held(session: Session) -> Held | None:
    """Since when and why this instance is held; None when it is not."""
    row = session.get(Instance, _ID)
    return Held(row.held_at, row.reason or "") if row is not None and row.held_at is not None else None


def mark(runtime: Runtime) -> None:
    """Hold this instance: its database was restored. One that is held stays so."""
    with runtime.database.write() as session:
        row = _lock(session, runtime)
        if row.held_at is None:
            _hold(session, row, _SAID)
    _good_until.pop(runtime.process_id, None)


def release(runtime: Runtime) -> None:
    """Go on: from now on this is the database. Raises Conflict when it is not held."""
    with runtime.database.write() as session:
        row = _lock(session, runtime)
        if row.held_at is None:
            raise Conflict("This instance is not held.")
        row.held_at = row.reason = None
        _settle_here(session, runtime, row)
        record(session, HITCHPOST, Act.RESTORE_RELEASED, _THING)
    for bell in Bell:
        runtime.wake(bell)


def move_stamp(runtime: Runtime) -> None:
    """Give an SQLite file another stamp, so that any older copy of it is known as one."""
    if not runtime.database.is_sqlite or is_held(runtime):
        return
    with runtime.database.write() as session:
        row = _lock(session, runtime)
        if row.held_at is None and _fits(session, runtime, row):
            fresh = secrets.token_hex(8)
            # Killed between the two writes, the database bears the older one, which still fits.
            whereabouts.write_stamps(runtime.database, row.stamp or fresh, fresh)
            row.stamp = fresh


def _hold_if_moved(runtime: Runtime) -> bool:
    """Look again under the row's lock, where nobody moves a stamp meanwhile."""
    with runtime.database.write() as session:
        row = _lock(session, runtime)
        if row.held_at is None and not _fits(session, runtime, row):
            _hold(session, row, _MOVED)
            log.warning("held: nothing is delivered until `hitchpost restore release`", reason=_MOVED)
        return row.held_at is not None


def _lock(session: Session, runtime: Runtime) -> Instance:
    """The instance's row; at its first look a database is where it belongs."""
    row = session.get(Instance, _ID, with_for_update=True)
    if row is None:
        row = Instance(id=_ID)
        _settle_here(session, runtime, row)
        try:
            with session.begin_nested():
                session.add(row)
        except IntegrityError:  # another process looked first at the same moment
            row = session.get_one(Instance, _ID, with_for_update=True)
    return row


def _fits(session: Session, runtime: Runtime, row: Instance) -> bool:
    if row.place != whereabouts.place_of(session, runtime.database, Instance.__tablename__):
        return False
    return not runtime.database.is_sqlite or row.stamp in whereabouts.read_stamps(runtime.database)


def _settle_here(session: Session, runtime: Runtime, row: Instance) -> None:
    row.place = whereabouts.place_of(session, runtime.database, Instance.__tablename__)
    if runtime.database.is_sqlite:
        row.stamp = secrets.token_hex(8)
        whereabouts.write_stamps(runtime.database, row.stamp)


def _hold(session: Session, row: Instance, reason: str) -> None:
    row.held_at, row.reason = session.execute(select(db_time())).scalar_one(), reason
    record(session, HITCHPOST, Act.RESTORE_HELD, _THING, detail=reason)
