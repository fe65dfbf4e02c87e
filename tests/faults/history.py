"""What was asked, what was acknowledged and what was done to the parts, in the order of time."""

import json
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True, slots=True)
class Sent:
    """An event as its sender knows it; `at` counts the first tries of all senders."""

    event_id: str
    user: str
    type: str
    #: its body holds what a vendor refuses
    poison: bool
    at: int


@dataclass(frozen=True, slots=True)
class Ack:
    """A 202 for an event: where it says that the event is, and how many first tries had been made by then."""

    event_id: str
    stream: str
    seq: int
    at: int


@dataclass
class History:
    """Safe to add to from many threads; with `file`, written there line by line as JSON."""

    file: IO[str] | None = None
    sent: dict[str, Sent] = field(default_factory=dict)
    acks: list[Ack] = field(default_factory=list)
    #: statuses that no host app should ever see
    unexpected: list[int] = field(default_factory=list)
    #: connections that ended without an answer
    broken: int = 0
    _acknowledged: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _began: float = field(default_factory=time.monotonic)

    @classmethod
    def at(cls, path: Path) -> "History":
        """One that is kept in a file."""
        return cls(file=path.open("w", buffering=1, encoding="utf-8"))

    def note_try(self, user: str, events: Iterable[tuple[str, str, bool]]) -> None:
        """These (id, type, poison) are about to be sent for the first time."""
        with self._lock:
            made = [Sent(event_id, user, type_, poison, len(self.sent)) for event_id, type_, poison in events]
            self.sent |= {one.event_id: one for one in made}
        self._write("try", user=user, ids=[one.event_id for one in made])

    def note_acknowledged(self, event_ids: Sequence[str], places: Sequence[str]) -> None:
        """A 202 came; `places` are the public ids that it names, in the order of the events."""
        with self._lock:
            for event_id, place in zip(event_ids, places, strict=True):
                stream, _, seq = place.rpartition("-")
                self.acks.append(Ack(event_id, stream, int(seq), len(self.sent)))
            self._acknowledged.update(event_ids)
        self._write("ack", ids=list(event_ids), places=list(places))

    def note_unexpected(self, status: int) -> None:
        """An answer that is neither "stored" nor "try again"."""
        with self._lock:
            self.unexpected.append(status)
        self._write("unexpected", status=status)

    def note_broken(self) -> None:
        """A connection ended without an answer."""
        with self._lock:
            self.broken += 1

    def note(self, what: str, **more: Any) -> None:
        """Something was done to the parts."""
        self._write(what, **more)

    @property
    def count(self) -> int:
        """Events acknowledged so far."""
        with self._lock:
            return len(self._acknowledged)

    @property
    def acknowledged(self) -> frozenset[str]:
        """Their ids."""
        with self._lock:
            return frozenset(self._acknowledged)

    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def close(self) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()

    def _write(self, what: str, **more: Any) -> None:
        if self.file is not None:
            line = json.dumps({"at": round(self.seconds(), 3), "what": what, **more}, ensure_ascii=False)
            with self._lock:
                self.file.write(line + "\n")
