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
#: The same for what a host app asks for before each call of its own: an access token.
QUICK_RATE, QUICK_BURST = 2_000.0, 4_000.0

_usual, _quick = Buckets(RATE, BURST), Buckets(QUICK_RATE, QUICK_BURST)


def take_turn(name: str, *, quick: bool = False) -> None:
    """Count one request of `name`. Raises Refusal with 429 and Retry-After when it asks too fast."""
    wait = (_quick if quick else _usual).take(name, time.monotonic())
    if wait:
        rate, burst = (QUICK_RATE, QUICK_BURST) if quick else (RATE, BURST)
        detail = f"This API key may make {rate:g} requests a second, {burst:g} at once."
        raise Refusal(TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(ceil(wait))})


__all__ = ["Buckets", "take_turn"]
