"""Delivery: drains due destinations for a while, and rings again if more is left."""

import threading

from webapp.core import delivery
from webapp.core.runtime import Bell
from workers import parts
from workers.app import app

#: Turns at a time in one process with destinations that answer briskly.
PLACES = 8
#: … and drains: as many more have to do with those that keep them waiting. Fewer than its threads, so that
#: other work is never shut out.
DRAINS = 2 * PLACES
#: How long one drain goes on, in seconds; after it, others of the queue have their turn.
TURN_SECONDS = 1.0

_places = threading.BoundedSemaphore(DRAINS)
_missed = threading.Event()


@app.task(name="hitchpost.delivery.drain", ignore_result=True)
def drain() -> None:
    """Drain, unless enough drains are under way: then the first of them to end looks again."""
    if not _places.acquire(blocking=False):
        _missed.set()
        return
    runtime = parts.runtime()
    try:
        _missed.clear()
        delivery.drain(runtime, seconds=TURN_SECONDS, places=PLACES)
    finally:
        _places.release()
    if _missed.is_set() or delivery.work_left(runtime, places=PLACES):
        runtime.wake(Bell.DELIVERY)
