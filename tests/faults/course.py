"""The course of a campaign on a stage: senders begin, faults are struck, all is mended, and it is judged."""

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from sqlalchemy.exc import SQLAlchemyError

from tests import servers
from tests.faults import evidence
from tests.faults.checker import Reached, Verdict, judge, lost
from tests.faults.load import Sender
from tests.faults.nemesis import Nemesis
from tests.faults.stage import SQLITE, USERS, Stage
from tests.waiting import wait_for

#: Without progress; a lease of a process that was killed runs out after 15 s.
QUIET_SECONDS = 60.0
_START_SECONDS = 60.0
_PROGRESS_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a campaign did and found."""

    verdict: Verdict
    #: how often each fault was struck
    struck: Mapping[str, int]
    seconds: float
    #: requests whose answer was lost or false, over all destinations
    lost_answers: int
    #: connections of host apps that ended without an answer
    broken: int


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What to do: `strikes` faults, or as many as fit in `seconds`; names in `first` before any other."""

    seed: int
    faults: Sequence[str]
    setup: str = SQLITE
    strikes: int | None = None
    seconds: float = 60.0
    #: struck once each, in this order, before chance chooses
    first: Sequence[str] = ()
    #: no answer may be lost and nothing may come twice
    in_order: bool = False
    senders: int = 2
    #: seconds between the requests of a sender; one of the vendors takes one event a request
    pause: float = 0.05
    webs: int = 1
    workers: int = 1
    beats: int = 1
    #: so many network namespaces, with a program of each kind on each; 0: all here
    hosts: int = 0


class Campaign:
    """On a stage of its own, or on one where others were before and all has come to rest."""

    def __init__(self, stage: Stage, orders: Orders) -> None:
        self._stage = stage
        self._orders = orders
        self._chance = random.Random(orders.seed)
        self._nemesis = Nemesis(stage, orders.faults, self._chance)
        self._faults: list[str] = []
        self._senders: Sequence[Sender] = ()
        self._began = 0.0
        #: what others left: lost answers and duplicates
        self._before = (0, 0)

    def run(self) -> Report:
        """Load while faults are struck; then all is mended, what was sent is insisted on, and judged."""
        self.begin()
        self._struck()
        return self.end()

    def begin(self) -> None:
        """Start the instance, and let host apps send."""
        self._began = time.monotonic()
        self._before = _told(*self._judged())
        self._stage.instance.mend()
        wait_for(lambda: servers.is_ready(self._stage.url), seconds=_START_SECONDS, pause=0.05)
        numbers = range(self._orders.senders)
        self._senders = [self._sender(user, number) for user in USERS for number in numbers]
        for sender in self._senders:
            sender.start()

    def end(self) -> Report:
        """Quiet, and a judgement over all that was."""
        verdict, reached = self._settle()
        lost_answers, duplicates = map(int.__sub__, _told(verdict, reached), self._before)
        if self._orders.in_order and (lost_answers or duplicates):
            self._faults.append(f"in order, and yet {lost_answers} lost answers, {duplicates} duplicates")
        return Report(
            verdict=replace(verdict, faults=(*self._faults, *verdict.faults)),
            struck=self._nemesis.done,
            seconds=time.monotonic() - self._began,
            lost_answers=lost_answers,
            broken=self._stage.history.broken,
        )

    def _sender(self, user: str, number: int) -> Sender:
        stage, name = self._stage, f"{user}-{self._orders.seed}-{number}"
        chance = random.Random(name)
        return Sender(
            stage.url, stage.key, user, stage.history, name=name, chance=chance, pause=self._orders.pause
        )

    def _struck(self) -> None:
        end = time.monotonic() + self._orders.seconds
        first = list(self._orders.first)
        while first or self._goes_on(end):
            self._nemesis.strike(first.pop(0) if first else None)
            if not self._progress():
                return

    def _goes_on(self, end: float) -> bool:
        if self._orders.strikes is None:
            return time.monotonic() < end
        return sum(self._nemesis.done.values()) < self._orders.strikes

    def _progress(self) -> bool:
        """After each fault events are acknowledged again, before long."""
        goal = self._stage.history.count + self._chance.randint(1, 40)
        with suppress(AssertionError):
            wait_for(lambda: self._stage.history.count >= goal, seconds=_PROGRESS_SECONDS)
            return True
        self._faults.append(f"nothing was acknowledged for {_PROGRESS_SECONDS:g} s after all was mended")
        return False

    def _settle(self) -> tuple[Verdict, list[Reached]]:
        self._stage.history.note("quiet")
        for sender in self._senders:
            sender.end()
        for sender in self._senders:
            sender.join(_PROGRESS_SECONDS)
            if sender.is_alive():
                self._faults.append(f"{sender.name} was never answered 202")
                sender.abandon()
        fewest, deadline = None, 0.0
        while True:
            self._stage.hasten()
            verdict, reached = self._judged()
            left = lost(self._stage.history, reached)
            if fewest is None or left < fewest:
                fewest, deadline = left, time.monotonic() + QUIET_SECONDS
            if not (left or verdict.faults) or time.monotonic() > deadline:
                return verdict, reached
            time.sleep(0.3)

    def _judged(self) -> tuple[Verdict, list[Reached]]:
        reached, rest = self._gather()
        verdict = judge(self._stage.history, reached)
        return replace(verdict, faults=(*verdict.faults, *rest)), reached

    def _gather(self) -> tuple[list[Reached], list[str]]:
        stage = self._stage
        told = {name: liar.told for name, liar in stage.liars.items()}
        try:
            reached = evidence.gather(stage.runtime, stage.sandbox, stage.aims, told)
            return reached, evidence.rest_of(stage.runtime)
        except SQLAlchemyError as error:
            return [], [f"the database cannot be read: {type(error).__name__}"]


def _told(verdict: Verdict, reached: Sequence[Reached]) -> tuple[int, int]:
    """Lost answers, over all destinations, and duplicates."""
    return sum(one.lost_answers for one in reached), verdict.duplicates
