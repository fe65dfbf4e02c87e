"""Limits: how fast one API key may ask, kept in this process alone, so that no other service can stop it.

Events are not counted here: what the database can take bounds them (503), not a number.
"""

import threading
import time
from math import ceil

from webapp.api.problems import TOO_MANY_REQUESTS
from webapp.api.refusals import Refusal

#: Requests a second that a key may make for long, and how many at once after a pause.
RATE, BURST = 50.0, 200.0

#: Keys remembered; far more than an instance has, and a bound all the same.
_MAX_KEYS = 10_000


class Buckets:
    """Token buckets by name: each fills at `rate` up to `burst`."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._levels: dict[str, tuple[float, float]] = {}
        self._guard = threading.Lock()

    def take(self, name: str, now: float) -> float:
        """Take one; 0 when there was one, else the seconds until there is."""
        with self._guard:
            level, since = self._levels.get(name, (self._burst, now))
            level = min(self._burst, level + (now - since) * self._rate)
            if len(self._levels) >= _MAX_KEYS and name not in self._levels:
                self._levels.clear()
            if level < 1.0:
                self._levels[name] = (level, now)
                return (1.0 - level) / self._rate
            self._levels[name] = (level - 1.0, now)
            return 0.0

    def peek(self, name: str, now: float) -> float:
        """The seconds until there is one, taking none; 0 when there is."""
        with self._guard:
            level, since = self._levels.get(name, (self._burst, now))
            return max(0.0, (1.0 - min(self._burst, level + (now - since) * self._rate)) / self._rate)


_buckets = Buckets(RATE, BURST)


def take_turn(name: str) -> None:
    """Count one request of `name`. Raises Refusal with 429 and Retry-After when it asks too fast."""
    wait = _buckets.take(name, time.monotonic())
    if wait:
        detail = f"This API key may make {RATE:g} requests a second, {BURST:g} at once."
        raise Refusal(TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(ceil(wait))})
