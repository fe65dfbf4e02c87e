"""Draining: one due destination after another, the longest due first, so that all have their turns.

A dead or slow vendor keeps a turn busy until the call's deadline. So that it cannot keep all of a process
busy, a vendor has only so many turns there at a time; the rest is for the others.
"""

import threading
import time
from collections import Counter
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import exists, select

from webapp.core.delivery.turns import take_turn
from webapp.core.runtime import Runtime
from webapp.core.streams.leases import Lease, due_and_not_at, lease_next

_guard = threading.Lock()
#: Turns under way, by process and vendor.
_under_way: Counter[tuple[UUID, str]] = Counter()


def drain(runtime: Runtime, *, seconds: float = 1.0, most_at_a_vendor: int | None = None) -> int:
    """Deliver what is due for about `seconds`; how many requests were made. Several may run at once.

    `most_at_a_vendor` turns of this process go to one vendor at a time. The last turn may go over by one call
    to a vendor. A turn that loses its lease ends without a trace.
    """
    end = time.monotonic() + seconds
    requests = 0
    while time.monotonic() < end:
        lease = _take(runtime, most_at_a_vendor)
        if lease is None:
            break
        try:
            requests += take_turn(runtime, lease)
        finally:
            _leave(runtime, lease)
    return requests


def work_left(runtime: Runtime, *, most_at_a_vendor: int | None = None) -> bool:
    """Whether a destination is due at this moment, at a vendor that may have another turn."""
    with _guard:
        busy = _busy(runtime, most_at_a_vendor)
    with runtime.database.read() as session:
        return session.execute(select(exists().where(due_and_not_at(busy)))).scalar_one()


def _take(runtime: Runtime, most: int | None) -> Lease | None:
    # Under the guard as a whole: two at once would both find room for one more.
    with _guard:
        with runtime.database.write() as session:
            lease = lease_next(session, str(runtime.process_id), not_at=_busy(runtime, most))
        if lease is not None:
            _under_way[runtime.process_id, _vendor(lease)] += 1
        return lease


def _leave(runtime: Runtime, lease: Lease) -> None:
    with _guard:
        _under_way[runtime.process_id, _vendor(lease)] -= 1


def _busy(runtime: Runtime, most: int | None) -> Collection[str]:
    if most is None:
        return ()
    return [
        vendor
        for (process_id, vendor), turns in _under_way.items()
        if process_id == runtime.process_id and turns >= most
    ]


def _vendor(lease: Lease) -> str:
    return lease.kind.partition(".")[0]
