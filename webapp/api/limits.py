"""Limits: how fast one API key may ask, kept in this process alone, so that no other service can stop it.

Events are not counted here: core.events.limits does, and what the database can take bounds them too (503).
"""

import time
from math import ceil

from webapp.api.problems import TOO_MANY_REQUESTS
from webapp.api.refusals import Refusal
from webapp.lib.buckets import Buckets

#: Requests a second that a key may make for long, and how many at once after a pause.
RATE, BURST = 50.0, 200.0

_buckets = Buckets(RATE, BURST)


def take_turn(name: str) -> None:
    """Count one request of `name`. Raises Refusal with 429 and Retry-After when it asks too fast."""
    wait = _buckets.take(name, time.monotonic())
    if wait:
        detail = f"This API key may make {RATE:g} requests a second, {BURST:g} at once."
        raise Refusal(TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(ceil(wait))})


__all__ = ["Buckets", "take_turn"]
