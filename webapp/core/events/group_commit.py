"""Group commit: requests that wait at the same moment share one transaction.

A commit waits for the disk; sharing it is what makes many small requests cheap. There is no thread of its
own: of the requests that wait, one does the work for all while the others wait for it. When the shared
transaction fails, each request is tried alone, so that no request can spoil another's.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from webapp.errors import HitchpostError

Work = TypeVar("Work")
Done = TypeVar("Done")


@dataclass(slots=True, eq=False)
class _Ticket(Generic[Work, Done]):
    work: Work
    #: held until the work is settled, or its thread is to run the next group: nobody else is woken for it
    turn: threading.Lock = field(default_factory=threading.Lock)
    #: whom it wakes once it is woken: a thread that wakes many runs on, and each of them asks it for the GIL
    next: "_Ticket[Work, Done] | None" = None
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
        self._guard = threading.Lock()
        self._running = False

    def submit(self, work: Work) -> Done:
        """Run `work`, perhaps together with others. Raises what `run` raises for it alone."""
        ticket: _Ticket[Work, Done] = _Ticket(work)
        ticket.turn.acquire()
        with self._guard:
            self._waiting.append(ticket)
            waits, self._running = self._running, True
        if waits:
            ticket.turn.acquire()
            if ticket.next is not None:
                ticket.next.turn.release()
        while not ticket.settled:
            group = self._take_group()
            try:
                self._run_group(group)
            finally:
                self._end_turn(group, ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.results[0] if ticket.results else self._run([work])[0]

    def _take_group(self) -> list[_Ticket[Work, Done]]:
        """The oldest of those that wait, as many as go together."""
        with self._guard:
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

    def _end_turn(self, group: Sequence[_Ticket[Work, Done]], own: _Ticket[Work, Done]) -> None:
        """Let the group go on; once one's own work is settled, let the oldest that waits run the next."""
        with self._guard:
            for ticket in group:
                ticket.settled = True
            woken = [ticket for ticket in group if ticket is not own]
            if own.settled:
                woken += islice(self._waiting, 1)
                self._running = bool(self._waiting)
        for one, then in pairwise(woken):
            one.next = then
        if woken:
            woken[0].turn.release()
