"""The table of decisions."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from webapp.core.delivery.policy import Step, Verdict, judge, wait_seconds
from webapp.core.delivery.sending import Answer
from webapp.models import AttemptOutcome as Outcome
from webapp.providers.receiving import OutgoingEvent, Reading, Setback

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def answer(
    count: int,
    settled: int = 0,
    rejected: Mapping[int, str] | None = None,
    setback: Setback | None = None,
    *,
    lost: bool = False,
    status: int | None = 400,
) -> Answer:
    reading = Reading(settled=settled, rejected=rejected or {}, setback=setback, words="words")
    events = [
        OutgoingEvent(seq=seq, type="t", source="app", subject=None, state=None, time=NOW, body=b"{}")
        for seq in range(1, count + 1)
    ]
    return Answer(events=events, reading=reading, status=status, lost=lost, started_at=NOW, milliseconds=1)


def verdict(
    said: Answer, *, witnessed: bool = True, failures: int = 0, batch_limit: int | None = None
) -> Verdict:
    return judge(said, witnessed=witnessed, failures=failures, batch_limit=batch_limit, batch_events=100)


@pytest.mark.parametrize(
    ("said", "witnessed", "expected"),
    [
        # all taken
        (answer(5, 5), False, Verdict(step=Step.GO_ON, outcome=Outcome.DELIVERED, settled=5)),
        # some listed as invalid: the others are the witness
        (
            answer(5, 5, {1: "bad"}),
            False,
            Verdict(step=Step.GO_ON, outcome=Outcome.REJECTED, settled=5, dead={1: "bad"}),
        ),
        # all listed as invalid: dead with a witness, suspect without
        (
            answer(2, 2, {0: "bad", 1: "bad"}),
            True,
            Verdict(step=Step.GO_ON, outcome=Outcome.REJECTED, settled=2, dead={0: "bad", 1: "bad"}),
        ),
        (answer(2, 2, {0: "bad", 1: "bad"}), False, Verdict(step=Step.WAIT, outcome=Outcome.REJECTED)),
        (answer(1, 1, {0: "bad"}), False, Verdict(step=Step.SUSPECT, outcome=Outcome.REJECTED)),
        # refused as a whole: halved, until one is alone
        (
            answer(5, setback=Setback.REFUSED),
            True,
            Verdict(step=Step.SPLIT, outcome=Outcome.REJECTED, batch_limit=3),
        ),
        (
            answer(2, setback=Setback.TOO_LARGE),
            False,
            Verdict(step=Step.SPLIT, outcome=Outcome.REJECTED, batch_limit=1),
        ),
        (
            answer(1, setback=Setback.REFUSED),
            True,
            Verdict(step=Step.GO_ON, outcome=Outcome.REJECTED, settled=1, dead={0: "words"}),
        ),
        (answer(1, setback=Setback.REFUSED), False, Verdict(step=Step.SUSPECT, outcome=Outcome.REJECTED)),
        # a prefix was taken, and the one behind it refused: the prefix is the witness
        (
            answer(3, 2, setback=Setback.REFUSED),
            False,
            Verdict(step=Step.GO_ON, outcome=Outcome.REJECTED, settled=3, dead={2: "words"}),
        ),
        (
            answer(9, 2, setback=Setback.REFUSED),
            False,
            Verdict(step=Step.SPLIT, outcome=Outcome.REJECTED, settled=2, batch_limit=4),
        ),
        # a prefix was taken, and then the vendor failed
        (
            answer(9, 2, setback=Setback.TRANSIENT, status=503),
            False,
            Verdict(step=Step.WAIT, outcome=Outcome.RETRY, settled=2),
        ),
        (
            answer(3, setback=Setback.RATE_LIMITED, status=429),
            True,
            Verdict(step=Step.WAIT, outcome=Outcome.RETRY),
        ),
        (
            answer(3, setback=Setback.KEY_REFUSED, status=401),
            True,
            Verdict(step=Step.FIND_KEY, outcome=Outcome.KEY_REFUSED),
        ),
        (
            answer(3, setback=Setback.TRANSIENT, lost=True, status=None),
            True,
            Verdict(step=Step.WAIT, outcome=Outcome.POSSIBLY_DELIVERED),
        ),
    ],
)
def test_the_table(*, said: Answer, witnessed: bool, expected: Verdict) -> None:
    assert verdict(said, witnessed=witnessed) == expected


@pytest.mark.parametrize(("limit", "grown"), [(None, None), (1, 2), (16, 32), (49, 98), (50, None)])
def test_after_a_success_twice_as_many_are_sent_until_there_is_no_limit(
    limit: int | None, grown: int | None
) -> None:
    assert verdict(answer(1, 1), batch_limit=limit).batch_limit == grown


@pytest.mark.parametrize(
    ("failures", "said", "limit"),
    [
        (0, answer(8, setback=Setback.TRANSIENT, status=500), None),
        (1, answer(8, setback=Setback.TRANSIENT, status=500), None),
        (2, answer(8, setback=Setback.TRANSIENT, status=500), 4),
        (2, answer(8, setback=Setback.TRANSIENT, lost=True, status=None), 4),
        # nobody was there to look at the events, or it was about how often
        (9, answer(8, setback=Setback.TRANSIENT, status=None), None),
        (9, answer(8, setback=Setback.RATE_LIMITED, status=429), None),
    ],
)
def test_the_third_failure_over_events_makes_the_next_request_smaller(
    failures: int, said: Answer, limit: int | None
) -> None:
    assert verdict(said, failures=failures).batch_limit == limit


@pytest.mark.parametrize(
    ("reading", "failures", "least", "most"),
    [
        (Reading(settled=0, setback=Setback.TRANSIENT), 1, 0.1, 1),
        (Reading(settled=0, setback=Setback.TRANSIENT), 5, 1.6, 16),
        (Reading(settled=0, setback=Setback.TRANSIENT), 11, 90, 900),
        (Reading(settled=0, setback=Setback.TRANSIENT), 500, 90, 900),
        (Reading(settled=0, setback=Setback.REFUSED), 1, 6, 60),
        (Reading(settled=2, rejected={0: "a", 1: "b"}), 1, 6, 60),
        (Reading(settled=0, setback=Setback.RATE_LIMITED, retry_after=77.0), 9, 77, 77),
        (Reading(settled=0, setback=Setback.RATE_LIMITED, retry_after=0.0), 1, 0.1, 1),
    ],
)
def test_the_ladder(reading: Reading, failures: int, least: float, most: float) -> None:
    assert wait_seconds(reading, failures, draw=0.0) == pytest.approx(least)
    assert wait_seconds(reading, failures, draw=0.999999) == pytest.approx(most, rel=1e-3)
