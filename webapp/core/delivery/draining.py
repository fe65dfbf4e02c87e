"""Draining: one due destination after another, the longest due first, so that all have their turns.

A dead or slow vendor keeps a turn busy until the call's deadline; how many such turns there may be at a time
is told by lanes. A host that does not answer at all is passed over, but for probes (see hosts).
"""

import time

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from webapp.core import restores
from webapp.core.delivery import hosts, lanes
from webapp.core.delivery.turns import take_turn
from webapp.core.runtime import Bell, Runtime
from webapp.core.streams.leases import Lease, is_due, lease_next, lease_probe


def drain(runtime: Runtime, *, seconds: float = 1.0, places: int | None = None) -> int:
    """Deliver what is due for about `seconds`; how many requests were made. Several may run at once.

    `places` is how many turns with brisk destinations this process has at a time (see lanes); None: there is
    no other drain. Whoever begins a turn while others are due rings, so that they need not wait for its end.
    The last turn may go over by one call to a vendor. A turn that loses its lease ends without a trace.
    """
    if restores.is_held(runtime):
        return 0
    end = time.monotonic() + seconds
    requests = 0
    while time.monotonic() < end:
        taken = _take(runtime, places)
        if taken is None:
            break
        lease, turn = taken
        try:
            if places is not None and work_left(runtime, places=places):
                runtime.wake(Bell.DELIVERY)
            requests += take_turn(runtime, lease)
        finally:
            lanes.leave(turn)
    return requests


def work_left(runtime: Runtime, *, places: int | None = None) -> bool:
    """Whether a destination is due at this moment that may have a turn, or a host is to be probed."""
    if restores.is_held(runtime):
        return False
    standing = hosts.standing(runtime)
    with lanes.guard:
        room = lanes.room(runtime.process_id, places)
    if standing.to_probe and room.probes:
        return True
    if not (room.brisk or room.slow):
        return False
    with runtime.database.read() as session:
        return session.execute(select(exists().where(is_due(), *_among(room, standing)))).scalar_one()


def _take(runtime: Runtime, places: int | None) -> tuple[Lease, lanes.Taken] | None:
    """A lease, and the place that its turn has; None when nobody is due who may have one."""
    standing, owner = hosts.standing(runtime), str(runtime.process_id)
    with lanes.guard:
        room = lanes.room(runtime.process_id, places)
        to_probe = standing.to_probe if room.probes else ()
        with runtime.database.write() as session:
            probe = _probe(session, owner, to_probe)
            lease = probe or lease_next(session, owner, *_among(room, standing))
        turn = lanes.enter(runtime.process_id, lease, probes=probe is not None) if lease else None
    if to_probe:
        hosts.look_again(runtime)
    return (lease, turn) if lease and turn else None


def _probe(session: Session, owner: str, to_probe: tuple[str, ...]) -> Lease | None:
    for host in to_probe:
        if hosts.may_probe(session, host):
            return lease_probe(session, owner, host)
    return None


def _among(room: lanes.Room, standing: hosts.Standing) -> list[ColumnElement[bool]]:
    """Which destinations may have a turn now: all that fulfil these."""
    answering = [hosts.may_be_called(standing.down)] if standing.down else []
    return [*answering, *room.among()]
