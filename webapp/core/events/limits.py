"""Limits that cost no transaction: how fast a user's events may come, a backlog found full, and the disk.

All are kept in this process alone: a sender's flood is turned away before it reaches the database, and its
refusal spoils no group commit of others.
"""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID
from weakref import WeakKeyDictionary

from webapp.core.events.backlogs import RETRY_AFTER
from webapp.core.runtime import Runtime
from webapp.errors import BacklogFull, EventsTooFast, Overloaded
from webapp.lib.buckets import Buckets
from webapp.lib.database import Database

#: For so long a backlog that was full is taken for full.
_REMEMBERED_SECONDS = 1.0
_MOST_REMEMBERED = 10_000
#: At once, after a pause, as many as in so many seconds.
_BURST_SECONDS = 10.0
#: How full the disk is, is looked at so often; who finds it full may come again after so long.
_DISK_SECONDS, _DISK_RETRY_AFTER = 1.0, 30.0


class Limits:
    """What one process remembers of its users' streams."""

    def __init__(self, per_second: int, *, reserve: int, folder: Path | None) -> None:
        """`per_second` events may come for a user (0: as many as come) while `reserve` bytes are free.

        `folder` is where the database is; None: on a disk that this process does not see.
        """
        self._per_second = per_second
        self._reserve, self._folder = reserve, folder
        self._free, self._looked = 0, float("-inf")
        self._buckets = Buckets(float(per_second), per_second * _BURST_SECONDS)
        self._full: dict[UUID, tuple[float, str]] = {}
        self._guard = threading.Lock()

    def check(self, streams: Sequence[UUID]) -> None:
        """Whether events for these may be tried now. Raises BacklogFull, EventsTooFast, Overloaded."""
        now = time.monotonic()
        self._check_disk(now)
        counts = Counter(streams) if len(streams) > 1 else dict.fromkeys(streams, 1)
        for stream_id, events in counts.items():
            since, words = self._full.get(stream_id, (None, ""))
            if since is not None and now - since < _REMEMBERED_SECONDS:
                raise BacklogFull(words, stream_id=stream_id, retry_after=RETRY_AFTER)
            if not self._per_second:
                continue
            wait = self._buckets.take(stream_id.hex, now, events)
            if wait:
                words = f"{self._per_second:,} events a second may come for one user; nothing was stored."
                raise EventsTooFast(words, retry_after=wait)

    def _check_disk(self, now: float) -> None:
        if self._folder is None:
            return
        if now - self._looked >= _DISK_SECONDS:
            self._free, self._looked = shutil.disk_usage(self._folder).free, now
        if self._free < self._reserve:
            words = (
                f"The disk of the database has {self._free:,} free bytes, and {self._reserve:,} are kept so "
                "that what is stored can still be delivered; nothing was stored."
            )
            raise Overloaded(words, retry_after=_DISK_RETRY_AFTER)

    def note_full(self, error: BacklogFull) -> None:
        """Its backlog is full: who comes within a second need not look."""
        with self._guard:
            if len(self._full) >= _MOST_REMEMBERED:
                self._full.clear()
            self._full[error.stream_id] = (time.monotonic(), str(error))


_limits: WeakKeyDictionary[Database, Limits] = WeakKeyDictionary()


def of(runtime: Runtime) -> Limits:
    """The limits that this process keeps."""
    found = _limits.get(runtime.database)
    if found is None:
        settings, place = runtime.settings, runtime.database.engine.url.database
        folder = Path(place or "").absolute().parent if runtime.database.is_sqlite else None
        made = Limits(settings.events_per_second, reserve=settings.disk_reserve_bytes, folder=folder)
        found = _limits.setdefault(runtime.database, made)
    return found
