"""Draining: one due destination after another, the longest due first, so that all have their turns."""

import time

from sqlalchemy import exists, select

from webapp.core.delivery.turns import take_turn
from webapp.core.runtime import Runtime
from webapp.core.streams.leases import lease_next
from webapp.lib.database import db_time
from webapp.models import Destination


def drain(runtime: Runtime, *, seconds: float = 1.0) -> int:
    """Deliver what is due for about `seconds`; how many requests were made. Several may run at once.

    The last turn may go over by one call to a vendor. A turn that loses its lease ends without a trace.
    """
    end = time.monotonic() + seconds
    requests = 0
    while time.monotonic() < end:
        with runtime.database.write() as session:
            lease = lease_next(session, str(runtime.process_id))
        if lease is None:
            break
        requests += take_turn(runtime, lease)
    return requests


def work_left(runtime: Runtime) -> bool:
    """Whether a destination is due at this moment."""
    due = Destination.due_at <= select(db_time()).scalar_subquery()
    with runtime.database.read() as session:
        return session.execute(select(exists().where(due))).scalar_one()
