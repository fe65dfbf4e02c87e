"""Buckets: how fast somebody may do something, kept in this process alone."""

import threading

#: Names remembered: a bound, and far more than are busy at a time.
_MOST_NAMES = 10_000


class Buckets:
    """Token buckets by name: each fills at `rate` a second up to `burst`. Safe to share between threads."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._levels: dict[str, tuple[float, float]] = {}
        self._guard = threading.Lock()

    def take(self, name: str, now: float, count: int = 1) -> float:
        """Take `count`; 0 when there were so many, else the seconds until there are.

        More than a whole bucket holds is given when it is full, and what is missing is owed.
        """
        wanted = min(float(count), self._burst)
        with self._guard:
            level, since = self._levels.get(name, (self._burst, now))
            level = min(self._burst, level + (now - since) * self._rate)
            if len(self._levels) >= _MOST_NAMES and name not in self._levels:
                self._levels.clear()
            if level < wanted:
                self._levels[name] = (level, now)
                return (wanted - level) / self._rate
            self._levels[name] = (level - count, now)
            return 0.0

    def peek(self, name: str, now: float) -> float:
        """The seconds until there is one, taking none; 0 when there is."""
        with self._guard:
            level, since = self._levels.get(name, (self._burst, now))
            return max(0.0, (1.0 - min(self._burst, level + (now - since) * self._rate)) / self._rate)
