"""What an answer leads to: a pure table of decisions, without time, chance or rows.

An event becomes a dead letter only with a witness: the same destination, with the same settings and key,
took another event. Without one the destination is suspected and not the event, as a wrong dataset name is
refused too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from webapp.core.delivery.sending import Answer
from webapp.lib.backoff import full_jitter
from webapp.models import AttemptOutcome
from webapp.providers.receiving import Reading, Setback

#: The ladder: first about a second, then twice as long each time, at most a quarter of an hour.
_BASE_SECONDS, _CAP_SECONDS = 1.0, 900.0
#: A destination that refuses everything is not going to change its mind within seconds.
_REFUSED_BASE_SECONDS = 60.0
#: Without a success for so long, a destination stands still.
LONGEST_FAILURE_SECONDS = 72 * 3600.0
#: After so many failures in a row the vendor is asked for less at a time, down to one event.
_SHRINK_AFTER = 3
_REFUSALS = (Setback.REFUSED, Setback.TOO_LARGE)


class Step(Enum):
    """What a turn does next."""

    #: the next events
    GO_ON = auto()
    #: the same again at once, fewer of them
    SPLIT = auto()
    #: look whether the event or the destination is to blame
    SUSPECT = auto()
    #: look for another key
    FIND_KEY = auto()
    #: the same again later
    WAIT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a request's events, and the next step."""

    step: Step
    outcome: AttemptOutcome
    #: so many of the first events are settled
    settled: int = 0
    #: … all taken but these, which are dead: index → reason
    dead: Mapping[int, str] = field(default_factory=dict)
    #: how many events the next request may carry; None: as many as fit
    batch_limit: int | None = None

    @property
    def taken(self) -> int:
        """How many events the vendor took."""
        return self.settled - len(self.dead)


def judge(
    answer: Answer, *, witnessed: bool, failures: int, batch_limit: int | None, batch_events: int
) -> Verdict:
    """Decide on an answer. `failures` in a row before it; `batch_events` is the most that the kind allows."""
    reading, count = answer.reading, len(answer.events)
    witnessed = witnessed or reading.settled > len(reading.rejected)
    if reading.rejected and not witnessed:
        step = Step.SUSPECT if count == 1 else Step.WAIT
        return Verdict(step=step, outcome=AttemptOutcome.REJECTED, batch_limit=batch_limit)
    if reading.setback is None:
        outcome = AttemptOutcome.REJECTED if reading.rejected else AttemptOutcome.DELIVERED
        return Verdict(
            step=Step.GO_ON,
            outcome=outcome,
            settled=count,
            dead=reading.rejected,
            batch_limit=_grown(batch_limit, batch_events),
        )
    if reading.setback in _REFUSALS:
        return _refused(reading, count, witnessed=witnessed, batch_limit=batch_limit)
    return _set_back(answer, failures, batch_limit)


def wait_seconds(reading: Reading, failures: int, *, draw: float | None = None) -> float:
    """How long to wait after `failures` in a row (1, 2, …): what the vendor asks for, or the ladder."""
    if reading.retry_after is not None:
        return max(reading.retry_after, full_jitter(1, base=_BASE_SECONDS, cap=_CAP_SECONDS, draw=draw))
    refused = reading.setback in _REFUSALS or reading.rejected
    base = _REFUSED_BASE_SECONDS if refused else _BASE_SECONDS
    return full_jitter(failures, base=base, cap=_CAP_SECONDS, draw=draw)


def has_failed_too_long(since: datetime | None, now: datetime) -> bool:
    """Whether a destination that has failed `since` then is to stand still."""
    return since is not None and (now - since).total_seconds() >= LONGEST_FAILURE_SECONDS


def _refused(reading: Reading, count: int, *, witnessed: bool, batch_limit: int | None) -> Verdict:
    """Somebody among the events behind the settled ones is refused: halve until it is alone."""
    settled, rest = reading.settled, count - reading.settled
    outcome = AttemptOutcome.REJECTED
    if rest > 1:
        return Verdict(
            step=Step.SPLIT,
            outcome=outcome,
            settled=settled,
            dead=reading.rejected,
            batch_limit=(rest + 1) // 2,
        )
    if not witnessed:
        return Verdict(step=Step.SUSPECT, outcome=outcome, batch_limit=batch_limit)
    dead = {**reading.rejected, settled: reading.words}
    return Verdict(step=Step.GO_ON, outcome=outcome, settled=count, dead=dead)


def _set_back(answer: Answer, failures: int, batch_limit: int | None) -> Verdict:
    reading = answer.reading
    if reading.setback is Setback.KEY_REFUSED:
        step, outcome = Step.FIND_KEY, AttemptOutcome.KEY_REFUSED
    else:
        step = Step.WAIT
        outcome = AttemptOutcome.POSSIBLY_DELIVERED if answer.lost else AttemptOutcome.RETRY
    rest = len(answer.events) - reading.settled
    if reading.setback is Setback.TRANSIENT and answer.reached and failures + 1 >= _SHRINK_AFTER:
        batch_limit = (rest + 1) // 2
    return Verdict(
        step=step, outcome=outcome, settled=reading.settled, dead=reading.rejected, batch_limit=batch_limit
    )


def _grown(batch_limit: int | None, batch_events: int) -> int | None:
    """Twice as many the next time; None once that is no limit any more."""
    if batch_limit is None or batch_limit * 2 >= batch_events:
        return None
    return batch_limit * 2
