"""Memories: what a process read a moment ago, kept so briefly that nobody has to be told of a change."""

import threading
import time
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Memory(Generic[Key, Value]):
    """Values by key, each for so many seconds. Safe to share between threads."""

    def __init__(self, *, seconds: float, most: int) -> None:
        """Of more than `most` keys all are forgotten: a bound, not a policy."""
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()
        self._known: dict[Key, tuple[Value, float]] = {}

    def get(self, key: Key) -> Value | None:
        """What was put there, unless it is too long ago."""
        known = self._known.get(key)
        return known[0] if known and known[1] > time.monotonic() else None

    def put(self, key: Key, value: Value) -> None:
        """Remember it from now on."""
        until = time.monotonic() + self._seconds
        with self._lock:
            if len(self._known) >= self._most:
                self._known.clear()
            self._known[key] = (value, until)

    def forget(self) -> None:
        """Remember nothing."""
        with self._lock:
            self._known.clear()
