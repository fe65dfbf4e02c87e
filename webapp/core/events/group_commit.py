"""Group commit: requests that wait at the same moment share one transaction.

A commit waits for the disk; sharing it is what makes many small requests cheap. There is no thread of its
own: of the requests that wait, one does the work for all while the others wait for it. When the shared
transaction fails, each request is tried alone, so that no request can spoil another's.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from webapp.errors import HitchpostError

Work = TypeVar("Work")
Done = TypeVar("Done")


@dataclass(slots=True, eq=False)
class _Ticket(Generic[Work, Done]):
    work: Work
    settled: bool = False
    results: Sequence[Done] = ()
    error: SQLAlchemyError | HitchpostError | None = None


class GroupCommit(Generic[Work, Done]):
    """Runs works in groups. Safe to share between threads."""

    def __init__(
        self, run: Callable[[Sequence[Work]], Sequence[Done]], *, weigh: Callable[[Work], int], most: int
    ) -> None:
        """`run` does a group, all or nothing. A group weighs at most `most`, or is one work."""
        self._run = run
        self._weigh = weigh
        self._most = most
        self._waiting: deque[_Ticket[Work, Done]] = deque()
        self._changed = threading.Condition()
        self._running = False

    def submit(self, work: Work) -> Done:
        """Run `work`, perhaps together with others. Raises what `run` raises for it alone."""
        ticket: _Ticket[Work, Done] = _Ticket(work)
        with self._changed:
            self._waiting.append(ticket)
        while (group := self._take_turn(ticket)) is not None:
            try:
                self._run_group(group)
            finally:
                self._end_turn(group)
        if ticket.error is not None:
            raise ticket.error
        return ticket.results[0] if ticket.results else self._run([work])[0]

    def _take_turn(self, ticket: _Ticket[Work, Done]) -> list[_Ticket[Work, Done]] | None:
        """Wait until `ticket` is settled (None) or this thread is to run a group: the oldest first."""
        with self._changed:
            self._changed.wait_for(lambda: ticket.settled or not self._running)
            if ticket.settled:
                return None
            self._running = True
            group = [self._waiting.popleft()]
            weight = self._weigh(group[0].work)
            while self._waiting and weight + self._weigh(self._waiting[0].work) <= self._most:
                group.append(self._waiting.popleft())
                weight += self._weigh(group[-1].work)
            return group

    def _run_group(self, group: Sequence[_Ticket[Work, Done]]) -> None:
        try:
            results = self._run([ticket.work for ticket in group])
        except (SQLAlchemyError, HitchpostError) as error:
            if len(group) == 1:
                group[0].error = error
            return
        for ticket, result in zip(group, results, strict=True):
            ticket.results = (result,)

    def _end_turn(self, group: Sequence[_Ticket[Work, Done]]) -> None:
        with self._changed:
            self._running = False
            for ticket in group:
                ticket.settled = True
            self._changed.notify_all()
