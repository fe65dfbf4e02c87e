"""Draining: one due destination after another, the longest due first, so that all have their turns.

A dead or slow vendor keeps a turn busy until the call's deadline. So that it cannot keep all of a process
busy, a vendor's host has at most half of its places at a time, and all destinations whose answers take long
share a quarter; the rest is for the others. A host that does not answer at all is passed over (see hosts),
and the probes of all such hosts share another quarter.
"""

import threading
import time
from collections import Counter
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, not_, or_, select
from sqlalchemy.orm import Session

from webapp.core import restores
from webapp.core.delivery import hosts
from webapp.core.delivery.turns import take_turn
from webapp.core.runtime import Runtime
from webapp.core.streams.leases import Lease, is_due, lease_next, lease_probe
from webapp.models import Destination

_guard = threading.Lock()
#: Turns under way, by process and lane: a host, a vendor whose host is not known yet, or one of these.
_under_way: Counter[tuple[UUID, str]] = Counter()
_SLOW, _PROBES = "slow", "probes"


def drain(runtime: Runtime, *, seconds: float = 1.0, places: int | None = None) -> int:
    """Deliver what is due for about `seconds`; how many requests were made. Several may run at once.

    `places` is how many drains this process runs at a time; None: there is no other. The last turn may go
    over by one call to a vendor. A turn that loses its lease ends without a trace.
    """
    if restores.is_held(runtime):
        return 0
    end = time.monotonic() + seconds
    requests = 0
    while time.monotonic() < end:
        lease, lanes = _take(runtime, places)
        if lease is None:
            break
        try:
            requests += take_turn(runtime, lease)
        finally:
            _leave(runtime, lanes)
    return requests


def work_left(runtime: Runtime, *, places: int | None = None) -> bool:
    """Whether a destination is due at this moment that may have a turn, or a host is to be probed."""
    if restores.is_held(runtime):
        return False
    standing = hosts.standing(runtime)
    with _guard:
        if standing.to_probe and _has_room(runtime, places, _PROBES):
            return True
        among = _among(runtime, places, standing.down)
    with runtime.database.read() as session:
        return session.execute(select(exists().where(is_due(), *among))).scalar_one()


def _take(runtime: Runtime, places: int | None) -> tuple[Lease | None, list[str]]:
    """A lease, and the lanes that its turn is in."""
    standing, owner = hosts.standing(runtime), str(runtime.process_id)
    # Under the guard as a whole: two at once would both find room for one more.
    with _guard:
        among = _among(runtime, places, standing.down)
        to_probe = standing.to_probe if _has_room(runtime, places, _PROBES) else ()
        with runtime.database.write() as session:
            probe = _probe(session, owner, to_probe)
            lease = probe or lease_next(session, owner, *among)
        lanes = [] if lease is None else _lanes(lease)
        if probe is not None:
            lanes.append(_PROBES)
        _under_way.update((runtime.process_id, lane) for lane in lanes)
    if to_probe:
        hosts.look_again(runtime)
    return lease, lanes


def _probe(session: Session, owner: str, to_probe: tuple[str, ...]) -> Lease | None:
    for host in to_probe:
        if hosts.may_probe(session, host):
            return lease_probe(session, owner, host)
    return None


def _leave(runtime: Runtime, lanes: list[str]) -> None:
    with _guard:
        _under_way.subtract((runtime.process_id, lane) for lane in lanes)


def _among(runtime: Runtime, places: int | None, down: frozenset[str]) -> list[ColumnElement[bool]]:
    """Which destinations may have a turn now: all that fulfil these."""
    chosen = [hosts.may_be_called(down)] if down else []
    if places is None:
        return chosen
    turns = {lane: number for (process, lane), number in _under_way.items() if process == runtime.process_id}
    full = [lane for lane, number in turns.items() if lane not in {_SLOW, _PROBES} and number >= places // 2]
    if full:
        unknown = or_(*(Destination.kind.startswith(f"{one}.", autoescape=True) for one in full))
        chosen.append(or_(Destination.host.not_in(full), and_(Destination.host.is_(None), not_(unknown))))
    if not _has_room(runtime, places, _SLOW):
        chosen.append(not_(Destination.slow))
    return chosen


def _has_room(runtime: Runtime, places: int | None, lane: str) -> bool:
    """Whether fewer than a quarter of the places are taken by that lane."""
    return places is None or _under_way[runtime.process_id, lane] < max(1, places // 4)


def _lanes(lease: Lease) -> list[str]:
    lane = lease.host or lease.kind.partition(".")[0]
    return [lane, _SLOW] if lease.slow else [lane]
