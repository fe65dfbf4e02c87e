"""A tally: what became of events since the last settle, until it is settled."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from webapp.core.streams.attempts import Run
from webapp.core.streams.settling import Next, Rejection, Settlement
from webapp.lib.database import db_time
from webapp.models import Hold
from webapp.providers.receiving import OutgoingEvent

#: A vendor that takes one event a request is settled after so many requests, or so many seconds.
_MOST_REQUESTS, _MOST_SECONDS = 50, 0.25


class Tally:
    """Counts from one cursor on."""

    def __init__(self, cursor_seq: int) -> None:
        self._from = self.to_seq = cursor_seq
        self.delivered = self._expired = 0
        self._dead: list[Rejection] = []
        self._runs: list[Run] = []
        self._since = time.monotonic()

    @property
    def is_full(self) -> bool:
        """Whether it is time to settle, though all goes well."""
        return len(self._runs) >= _MOST_REQUESTS or time.monotonic() - self._since >= _MOST_SECONDS

    def note(self, run: Run) -> None:
        """A request was made."""
        self._runs.append(run)

    def pass_to(
        self,
        to_seq: int,
        *,
        events: Sequence[OutgoingEvent] = (),
        dead: Mapping[int, str] | None = None,
        witness: str = "",
        expired: int = 0,
    ) -> None:
        """The cursor may move to `to_seq`.

        `events`, as they are stored, were taken, but those in `dead`, for which `witness` speaks; so many
        more `expired`; the rest is unwanted.
        """
        parked = dead or {}
        self.to_seq = to_seq
        self.delivered += len(events) - len(parked)
        self._expired += expired
        self._dead += [Rejection(events[at], reason, witness) for at, reason in sorted(parked.items())]

    def settlement(
        self, next_: Next, changes: Mapping[str, Any], witness: str, wait: float, hold: Hold | None
    ) -> Settlement:
        """Everything counted, ready to be settled; `witness` is noted if an event was taken."""
        passed = self.to_seq - self._from
        return Settlement(
            to_seq=self.to_seq,
            delivered=self.delivered,
            filtered=passed - self.delivered - len(self._dead) - self._expired,
            expired=self._expired,
            dead=self._dead,
            runs=self._runs,
            next=next_,
            changes=(success(witness) if self.delivered else {}) | dict(changes),
            wait=wait,
            hold=hold,
        )


def success(witness: str) -> dict[str, Any]:
    """What an event that was taken changes in its destination's row."""
    return {
        "failures": 0,
        "failing_since": None,
        "reason": None,
        "unsure": False,
        "witness": witness,
        "last_delivered_at": db_time(),
    }
