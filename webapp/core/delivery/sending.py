"""Sending: one request, and what its answer, or the lack of one, says."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from webapp.core.delivery.aiming import Aim
from webapp.core.streams.attempts import Run
from webapp.errors import VendorRateLimited, VendorUnavailable
from webapp.lib import clock
from webapp.lib.http import Http, Response, host_of
from webapp.models import AttemptOutcome
from webapp.providers.receiving import OutgoingEvent, Reading, Rechecks, Setback

#: Of an answer that is to be tried again: a conflict, and pages by which something in between refuses.
_OF_EVENTS = frozenset({400, 403, 409, 422})
_NO_USE = (Setback.REFUSED, Setback.TOO_LARGE)
#: Of an answer to a question that cannot be asked there.
_NOT_ASKABLE = frozenset({404, 405, 410, 415})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one request."""

    #: those that it carried
    events: Sequence[OutgoingEvent]
    reading: Reading
    #: where it went, with the port; None: nothing was asked
    host: str | None = None
    #: None: no answer could be read
    status: int | None = None
    #: there was something to ask: else the encoder found nothing in these events for the destination
    asked: bool = True
    #: the request may have arrived and its answer is lost: what it carried may have been taken
    lost: bool = False
    #: nothing was sent: the vendor was looked at, and has these events from a request whose answer was lost
    found: bool = False
    started_at: datetime
    milliseconds: int = 0

    @property
    def reached(self) -> bool:
        """Whether the vendor may have looked at the events: a refused connection says nothing of them."""
        return self.lost or self.status is not None

    @property
    def alive(self) -> bool:
        """Whether the host answered as one that works: whatever it refused, it looked at it."""
        return self.status is not None and self.status < 500

    @property
    def silent(self) -> bool:
        """Whether it met with the network's failure, with silence, or with a 5xx."""
        return self.host is not None and not self.alive and self.reading.setback is Setback.TRANSIENT

    @property
    def may_blame_events(self) -> bool:
        """Whether it may fail over what it was sent: with a 5xx, a conflict, or a page that shuts it out.

        What speaks of the address (404, 405, 410, a redirect) fails over every event alike.
        """
        failed = self.reading.setback is Setback.TRANSIENT and self.status is not None
        return failed and (not self.alive or self.status in _OF_EVENTS)

    def run(self, outcome: AttemptOutcome) -> Run:
        """The request as an Attempt."""
        return Run(
            first_seq=self.events[0].seq,
            last_seq=self.events[-1].seq,
            events=len(self.events),
            outcome=outcome,
            status=self.status,
            milliseconds=self.milliseconds,
            words=self._words(outcome),
            started_at=self.started_at,
            ended_at=clock.now(),
        )

    def _words(self, outcome: AttemptOutcome) -> str:
        if self.found:
            return "was there already, though the answer was lost: not sent again"
        return self.reading.remark if outcome is AttemptOutcome.DELIVERED else self.reading.words


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
        host=host_of(encoded.request),
        status=status,
        lost=lost,
        started_at=started_at,
        milliseconds=round((time.monotonic() - start) * 1000),
    )


def look(http: Http, aim: Aim, events: Sequence[OutgoingEvent]) -> Answer | None:
    """Ask whether the first of `events` arrived although the answer was lost. None: send them.

    An answer that settles events found them; one with a setback is no reason to send anything.
    """
    provider: object = aim.provider
    question = provider.recheck(events, aim.target) if isinstance(provider, Rechecks) else None
    if question is None:
        return None
    assert isinstance(provider, Rechecks)  # noqa: S101 - it made the question
    started_at, start = clock.now(), time.monotonic()
    status: int | None = None
    try:
        response = http.send(question)
    except VendorUnavailable as error:
        taken, reading, status = None, _unread(error), error.status
    else:
        taken, status = provider.already_taken(response, events, aim.target), response.status
        reading = _unseen(aim, response, events) if taken is None else Reading(settled=taken)
    # A vendor that refuses the question would never answer it: better twice than never.
    if taken == 0 or reading.setback in _NO_USE or (taken is None and status in _NOT_ASKABLE):
        return None
    return Answer(
        events=events[: taken or 1],
        reading=reading,
        host=host_of(question),
        status=status,
        found=taken is not None,
        started_at=started_at,
        milliseconds=round((time.monotonic() - start) * 1000),
    )


def _unseen(aim: Aim, response: Response, events: Sequence[OutgoingEvent]) -> Reading:
    """The answer to a question that does not tell: never that anything is settled."""
    reading = aim.provider.read(response, events[:1], aim.target)
    words = reading.words or "what is there already cannot be seen"
    return replace(reading, settled=0, rejected={}, setback=reading.setback or Setback.TRANSIENT, words=words)


def _unread(error: VendorUnavailable) -> Reading:
    setback = Setback.RATE_LIMITED if isinstance(error, VendorRateLimited) else Setback.TRANSIENT
    return Reading(settled=0, setback=setback, words=str(error), retry_after=error.retry_after)
