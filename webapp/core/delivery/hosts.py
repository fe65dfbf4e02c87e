"""The breakers of vendors' hosts: while one does not answer, no turn is spent there but a probe now and then.

What counts is the network, a timeout or a 5xx; a 4xx or 429 is one destination's own, and shows that the host
lives. After three failures in a row the breaker trips. As long as one destination alone failed, the others go
on: the event may be at fault. Once several did, whoever is due at that host is put aside. The probe is made
by the one that failed least, and the first answer lets all of them go on at once.
"""

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func, or_, select, update
from sqlalchemy.orm import Session

from webapp.core import breakers, notices
from webapp.core.delivery.policy import LONGEST_FAILURE_SECONDS, has_failed_too_long
from webapp.core.runtime import Bell, Runtime
from webapp.core.streams import leases
from webapp.core.streams.leases import Lease
from webapp.lib.backoff import full_jitter
from webapp.lib.database import db_time
from webapp.models import Breaker, Destination

SCOPE = "host"
#: failures in a row that trip a breaker
_MANY = 3
#: Between probes: a recovery is noticed within seconds, and one small request in seconds is no burden.
_BASE_WAIT, _CAP_WAIT = 1.0, 6.0
#: A probe that hangs for so long is joined by another: a host that is back may never answer what it took
#: before.
_HANGS_SECONDS = 5.0
#: How long it lasts before admins are told.
_LONG = timedelta(minutes=15)
#: Whoever is put aside looks again by itself after so long, should nobody let it go.
_ASIDE_SECONDS = 900.0
#: rows of one transaction
_MOST_ROWS = 1_000
#: For so long a process goes by what it read of the breakers.
_FRESH_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Standing:
    """The breakers of hosts as a process knows them."""

    #: those that failed since they last answered
    charged: frozenset[str] = frozenset()
    #: … and are not to be called
    down: frozenset[str] = frozenset()
    #: … and may be probed now, first the one that waits for it longest
    to_probe: tuple[str, ...] = ()
    read_at: float = field(default_factory=time.monotonic)


_guard = threading.Lock()
_standings: dict[UUID, Standing] = {}


def standing(runtime: Runtime) -> Standing:
    """How the hosts stand, as of about a quarter of a second ago. Puts aside who waits for them."""
    with _guard:
        known = _standings.get(runtime.process_id)
        if known is not None:
            if time.monotonic() - known.read_at < _FRESH_SECONDS:
                return known
            # One looks again; the others go by what is known until it has.
            _standings[runtime.process_id] = replace(known, read_at=time.monotonic())
    with runtime.database.read() as session:
        now = _read(session)
        crowded = bool(now.down) and session.execute(select(exists(_due_at(now.down)))).scalar_one()
    with _guard:
        _standings[runtime.process_id] = now
    if crowded:
        with runtime.database.write() as session:
            _put_aside(session, now.down)
    return now


def may_probe(session: Session, host: str) -> bool:
    """Whether this process makes the next probe of a host that is down: for a while no other does."""
    if not breakers.enter(session, SCOPE, host, seconds=_HANGS_SECONDS):
        return False
    waiting = select(Destination.id).where(Destination.host == host, Destination.due_at.is_not(None)).limit(1)
    if session.scalar(waiting) is None:
        breakers.close(session, SCOPE, host)  # nobody is left who would like to know
        return False
    return True


def may_be_called(down: frozenset[str]) -> ColumnElement[bool]:
    """Which destinations are to have a turn: not at hosts that are `down`, unless to be given up there."""
    return or_(Destination.host.is_(None), Destination.host.not_in(down), _forsaken())


def is_forsaken(runtime: Runtime, lease: Lease) -> bool:
    """Whether its host is down and it could send nothing for three days: without a call, there is no hope."""
    if not has_failed_too_long(lease.failing_since, lease.taken_at):
        return False
    return lease.host in standing(runtime).down


def failed(session: Session, host: str, destination_id: UUID, words: str) -> None:
    """A request of this destination there met with silence or a 5xx."""
    breaker = breakers.charge(session, SCOPE, host, words)
    if breaker.failures == 1:
        breaker.charged_by = destination_id
    elif breaker.charged_by != destination_id:
        breaker.charged_by = None
    if breaker.failures < _MANY:
        return
    age = session.execute(select(db_time())).scalar_one() - breaker.since
    wait = full_jitter(breaker.failures - _MANY + 1, base=_BASE_WAIT, cap=_CAP_WAIT)
    session.flush()
    breakers.stop(session, SCOPE, host, seconds=wait)
    if age > _LONG and breaker.charged_by is None:
        _tell_admins(session, breaker)


def answered(runtime: Runtime, host: str) -> None:
    """The host lives: if it was down, whatever waits for it alone is due at once.

    Was it only charged, those that failed there go on by their own ladders: their events may be at fault.
    """
    known = standing(runtime)
    if host not in known.charged:
        return
    if host in known.down:
        while _let_go(runtime, host) == _MOST_ROWS:
            pass
    else:
        with runtime.database.write() as session:
            breakers.close(session, SCOPE, host)
    look_again(runtime)
    runtime.wake(Bell.DELIVERY)


def look_again(runtime: Runtime) -> None:
    """What this process knows of the hosts is out of date."""
    with _guard:
        _standings.pop(runtime.process_id, None)


def _forsaken() -> ColumnElement[bool]:
    long_ago = select(db_time(-LONGEST_FAILURE_SECONDS)).scalar_subquery()
    return func.coalesce(Destination.failing_since <= long_ago, False)


def _read(session: Session) -> Standing:
    tripped, several = breakers.is_tripped(), Breaker.charged_by.is_(None)
    over = Breaker.open_until <= db_time()
    found = session.execute(
        select(Breaker.key, tripped & several, tripped & over)
        .where(Breaker.scope == SCOPE)
        .order_by(Breaker.open_until)
    )
    rows = found.all()
    return Standing(
        charged=frozenset(key for key, _, _ in rows),
        down=frozenset(key for key, down, _ in rows if down),
        to_probe=tuple(key for key, _, probe in rows if probe),
    )


def _put_aside(session: Session, hosts: frozenset[str]) -> None:
    """What is due there now is not, until the host answers: nobody has to pass over it again and again."""
    # Locked, like by who lets go: else one might be put aside just after all others were let go.
    down = session.scalars(
        select(Breaker.key)
        .where(Breaker.scope == SCOPE, Breaker.key.in_(hosts), breakers.is_tripped())
        .with_for_update()
    ).all()
    due = _due_at(down).limit(_MOST_ROWS).with_for_update(skip_locked=True)
    session.execute(
        update(Destination)
        .where(Destination.id.in_(due.scalar_subquery()))
        .values(
            due_at=db_time(_ASIDE_SECONDS),
            awaits_host=True,
            failing_since=func.coalesce(Destination.failing_since, db_time()),
            reason=func.coalesce(Destination.reason, Destination.host + " does not answer anybody."),
        )
        .execution_options(synchronize_session=False)
    )


def _due_at(hosts: Collection[str]) -> Select[UUID]:
    """Who is due at these hosts, though not to be given up there."""
    return select(Destination.id).where(
        leases.is_due(), Destination.lease_token.is_(None), Destination.host.in_(hosts), ~_forsaken()
    )


def _let_go(runtime: Runtime, host: str) -> int:
    """Some of those that wait, or all, and then the breaker closes; how many."""
    with runtime.database.write() as session:
        session.get(Breaker, (SCOPE, host), with_for_update=True)
        ids = session.scalars(_waiting(host)).all()
        session.execute(
            update(Destination)
            .where(Destination.id.in_(ids))
            .values(due_at=db_time(), awaits_host=False)
            .execution_options(synchronize_session=False)
        )
        if len(ids) < _MOST_ROWS:
            breakers.close(session, SCOPE, host)
        else:
            breakers.ease(session, SCOPE, host)
    return len(ids)


def _waiting(host: str) -> Select[Any]:
    return (
        select(Destination.id)
        .where(
            Destination.host == host,
            Destination.awaits_host,
            Destination.due_at.is_not(None),
            Destination.lease_token.is_(None),
        )
        .order_by(Destination.id)
        .limit(_MOST_ROWS)
        .with_for_update()
    )


def _tell_admins(session: Session, breaker: Breaker) -> None:
    notices.tell(
        session,
        dedupe_key=f"host:{breaker.key}:{breaker.since.isoformat()}",
        kind="host.down",
        text=f"{breaker.key} has not answered since {breaker.since:%d %B %H:%M} UTC ({breaker.incident}). "
        "Every event for it waits here and goes out once it answers; a request now and then finds out when. "
        "A destination that could send nothing for 72 hours stands still, and its owner is told.",
    )
