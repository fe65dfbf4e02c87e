"""Holding a destination: sending under its lease, settling what came of it, and ending the turn."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from webapp.core import connections
from webapp.core.delivery import hosts, telling
from webapp.core.delivery.aiming import Aim
from webapp.core.delivery.policy import has_failed_too_long, wait_seconds
from webapp.core.delivery.sending import Answer, look, send
from webapp.core.delivery.tally import Tally
from webapp.core.runtime import Runtime
from webapp.core.streams.leases import LEASE_SECONDS, Lease, renew
from webapp.core.streams.settling import Next, settle
from webapp.lib.database import db_time, is_contention
from webapp.lib.http import Http
from webapp.models import Hold
from webapp.providers.receiving import OutgoingEvent

A = TypeVar("A")

TURN_SECONDS, TURN_BATCHES = 1.0, 5
#: Failures in a row that make a connection look degraded: fewer are the weather.
_TROUBLED_FAILURES = 5
#: A destination whose answers take longer has its turns among others like it.
_SLOW_MILLISECONDS = 2_000
_SETTLE_TRIES = 5


class Holder:
    """A lease in use. `kept` falls when it ends; every method may raise Fenced."""

    def __init__(self, runtime: Runtime, lease: Lease, aim: Aim) -> None:
        self.runtime = runtime
        self.lease = lease
        self.aim = aim
        self.tally = Tally(lease.cursor_seq)
        self.kept = True
        self.requests = 0
        #: what its requests showed of the destination
        self._found: dict[str, Any] = {}
        #: the next events may have been taken by a request whose answer was lost
        self._unsure = lease.unsure
        self.begin()

    def begin(self) -> None:
        """The turn begins now, with all its time: again after replays, or the stream might never have one."""
        self._batches = 0
        self._end = time.monotonic() + TURN_SECONDS

    @property
    def is_late(self) -> bool:
        """Whether the time of this turn has passed."""
        return time.monotonic() >= self._end

    @property
    def is_over(self) -> bool:
        """Whether it is the turn of others: after one batch at least, however slow the reading was."""
        return self._batches >= TURN_BATCHES or (self._batches > 0 and self.is_late)

    @property
    def witnessed(self) -> bool:
        """Whether this destination took an event with these settings and this key."""
        return self.tally.delivered > 0 or self.lease.witness == self.aim.witness

    def send(self, events: Sequence[OutgoingEvent]) -> Answer:
        """Send a prefix of `events`, under a lease that outlives the call; in doubt, look first."""
        answer = self._call(look, events) if self._unsure else None
        if answer is None:
            self._unsure = False
            answer = self._call(send, events)
        self.requests += answer.asked
        self._learn(answer)
        return answer

    def _learn(self, answer: Answer) -> None:
        """Where its host is, whether it answers, and whether that takes long."""
        if answer.host is None:
            return
        slow = answer.milliseconds > _SLOW_MILLISECONDS if answer.alive else self.lease.slow
        if (answer.host, slow) != (self.lease.host, self.lease.slow):
            self._found = {"host": answer.host, "slow": slow}
        if answer.alive:
            hosts.answered(self.runtime, answer.host)

    def _call(
        self, how: Callable[[Http, Aim, Sequence[OutgoingEvent]], A], events: Sequence[OutgoingEvent]
    ) -> A:
        if not self.lease.is_fresh:
            self.renew()
        return how(self.runtime.http, self.aim, events)

    def renew(self, seconds: float = LEASE_SECONDS) -> None:
        """Keep the lease for so long from now on."""
        with self.runtime.database.write() as session:
            renew(session, self.lease, seconds=seconds)

    def settle(
        self,
        next_: Next,
        changes: Mapping[str, Any] | None = None,
        *,
        wait: float = 0.0,
        hold: Hold | None = None,
        also: Callable[[Session], object] = lambda _: None,
        counts: bool = True,
    ) -> None:
        """Settle the tally. `also` runs in the same transaction; `counts`: it is a batch of this turn."""
        # Doubt outlasts what was found until something is not; at the stream's head nothing is left of it.
        doubt = {"unsure": True} if self._unsure and next_ is not Next.REST else {}
        changed = {**doubt, **self._found, **(changes or {})}
        self._found = {}
        settlement = self.tally.settlement(next_, changed, self.aim.witness, wait, hold)
        self.tally = Tally(self.tally.to_seq)
        troubled = self.lease.reason is not None or self.aim.troubled
        mended = troubled and "witness" in settlement.changes

        def write(session: Session) -> Any:
            row = settle(session, self.lease, settlement)
            also(session)
            if mended and row.reason is None:
                connections.recover(session, self.aim.connection_id)
            return row

        start = time.monotonic()
        self.kept = self.lease.follow(self._insist(write), start)
        self._batches += counts

    def _insist(self, write: Callable[[Session], Any]) -> Any:
        """Try again when the database is busy: what a vendor took must not be forgotten for that."""
        for tries in range(1, _SETTLE_TRIES + 1):
            try:
                with self.runtime.database.write() as session:
                    return write(session)
            except DBAPIError as error:
                if tries == _SETTLE_TRIES or not is_contention(error):
                    raise
        raise AssertionError

    def wait(self, answer: Answer, batch_limit: int | None, *, suspect: bool = False) -> None:
        """Settle, and try again later; or stand still, when nothing was taken for three days."""
        words = answer.reading.words
        # What was taken a moment ago ends a failure; this one begins another.
        since, failures = (
            (None, 1) if self.tally.delivered else (self.lease.failing_since, self.lease.failures + 1)
        )
        if has_failed_too_long(since, self.lease.taken_at):
            self.give_up(words)
            return
        changes = {
            "failures": failures,
            "failing_since": since or db_time(),
            "reason": words,
            "batch_limit": batch_limit,
            # A wish of the vendor's to wait is obeyed, whoever else is answered meanwhile.
            "awaits_host": answer.silent and answer.reading.retry_after is None,
            **({"unsure": True} if answer.lost else {}),
        }
        troubled = suspect or failures >= _TROUBLED_FAILURES

        def also(session: Session) -> None:
            if troubled:
                telling.troubled(session, self.lease, words, of_vendor=not suspect)
            if answer.silent and answer.host is not None:
                hosts.failed(session, answer.host, self.lease.destination_id, words)

        self.settle(Next.WAIT, changes, wait=wait_seconds(answer.reading, failures), also=also)
        if answer.silent:
            hosts.look_again(self.runtime)

    def give_up(self, words: str) -> None:
        """Stand still: nothing was taken for three days, by the vendor's last `words`."""
        self.stop(Hold.FAILING, f"Nothing was taken for 72 hours: {words}")

    def stop(self, hold: Hold, reason: str) -> None:
        """Settle, and stand still until somebody mends it; its owner is told."""
        self.settle(
            Next.STOP,
            {"reason": reason},
            hold=hold,
            also=lambda session: telling.held(session, self.lease, hold, reason),
        )
