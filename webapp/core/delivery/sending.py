"""Sending: one request, and what its answer, or the lack of one, says."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from webapp.core.delivery.aiming import Aim
from webapp.core.streams.attempts import Run
from webapp.errors import VendorRateLimited, VendorUnavailable
from webapp.lib import clock
from webapp.lib.http import Http
from webapp.models import AttemptOutcome
from webapp.providers.base import OutgoingEvent, Reading, Setback


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one request."""

    #: those that it carried
    events: Sequence[OutgoingEvent]
    reading: Reading
    #: None: no answer could be read
    status: int | None = None
    #: there was something to ask: else the encoder found nothing in these events for the destination
    asked: bool = True
    #: the request may have arrived and its answer is lost: what it carried may have been taken
    lost: bool = False
    started_at: datetime
    milliseconds: int = 0

    @property
    def reached(self) -> bool:
        """Whether the vendor may have looked at the events: a refused connection says nothing of them."""
        return self.lost or self.status is not None

    def run(self, outcome: AttemptOutcome) -> Run:
        """The request as an Attempt."""
        return Run(
            first_seq=self.events[0].seq,
            last_seq=self.events[-1].seq,
            events=len(self.events),
            outcome=outcome,
            status=self.status,
            milliseconds=self.milliseconds,
            words="" if outcome is AttemptOutcome.DELIVERED else self.reading.words,
            started_at=self.started_at,
            ended_at=clock.now(),
        )


def send(http: Http, aim: Aim, events: Sequence[OutgoingEvent]) -> Answer:
    """Send as many of `events` as one request takes."""
    encoded = aim.provider.encode(events, aim.target)
    carried = events[: encoded.count]
    started_at, start = clock.now(), time.monotonic()
    if encoded.request is None:
        nothing = Reading(settled=len(carried))
        return Answer(events=carried, reading=nothing, asked=False, started_at=started_at)
    status, lost = None, False
    try:
        response = http.send(encoded.request)
    except VendorUnavailable as error:
        reading, status, lost = _unread(error), error.status, error.sent
    else:
        reading, status = aim.provider.read(response, carried, aim.target), response.status
    return Answer(
        events=carried,
        reading=reading,
        status=status,
        lost=lost,
        started_at=started_at,
        milliseconds=round((time.monotonic() - start) * 1000),
    )


def _unread(error: VendorUnavailable) -> Reading:
    setback = Setback.RATE_LIMITED if isinstance(error, VendorRateLimited) else Setback.TRANSIENT
    return Reading(settled=0, setback=setback, words=str(error), retry_after=error.retry_after)
