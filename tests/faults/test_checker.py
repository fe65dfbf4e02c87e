"""The checker itself finds each kind of fault in forged histories, and none where there is none."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.checker import Ledger, Reached, Verdict, judge, lost
from tests.faults.evidence import repeats_of
from tests.faults.history import History

STREAM = "0123456789abcdef0123456789abcdef"


def a_history(*acknowledged: str, tried: Sequence[str] = ("1", "2", "3")) -> History:
    """Events of `u`, of which the acknowledged ones got the place of their name."""
    history = History()
    history.note_try("u", [(event_id, "deploy.done", False) for event_id in tried])
    for event_id in acknowledged:
        history.note_acknowledged([event_id], [f"{STREAM}-{event_id}"])
    return history


def reached(*arrived: str, **more: Any) -> Reached:
    """A destination of `u` at rest, whose ledger says what arrived."""
    took = len(set(arrived))
    ledger = Ledger(head=3, origin=0, cursor=3, delivered=took, filtered=3 - took)
    return replace(Reached(name="to", user="u", arrived=arrived, ledger=ledger), **more)


def ledger(**more: int) -> Ledger:
    return replace(Ledger(head=3, origin=0, cursor=3, delivered=3), **more)


def verdict_on(*arrived: str, history: History | None = None, **more: Any) -> Verdict:
    return judge(history or a_history("1", "2", "3"), [reached(*arrived, **more)])


def test_all_in_order_is_no_fault() -> None:
    verdict = verdict_on("1", "2", "3")
    assert verdict.faults == ()
    assert (verdict.events, verdict.arrivals, verdict.duplicates) == (3, 3, 0)


def test_an_event_that_was_never_acknowledged_may_arrive_or_not() -> None:
    assert verdict_on("1", "2", "3", history=a_history("1", "2")).faults == ()
    assert verdict_on("1", "2", history=a_history("1", "2")).faults == ()


def test_a_dead_letter_and_an_expired_event_are_not_lost() -> None:
    dead = {"dead": ["2"], "ledger": ledger(delivered=2, dead=1)}
    assert verdict_on("1", "3", **dead).faults == ()
    assert verdict_on("1", "3", ledger=ledger(delivered=2, expired=1)).faults == ()


def test_what_a_destination_does_not_want_is_not_lost() -> None:
    history = a_history("1", "2", "3")
    history.sent["2"] = replace(history.sent["2"], type="flag.changed")
    assert verdict_on("1", "3", history=history, wants="deploy.").faults == ()
    assert "nobody sent there: ['2']" in verdict_on("1", "2", "3", history=history, wants="deploy.").faults[0]


def test_an_explained_repeat_is_no_fault() -> None:
    verdict = verdict_on("1", "2", "1", "2", "3", lost_answers=1, lost_events=2)
    assert verdict.faults == ()
    assert (verdict.repeats, verdict.duplicates) == (1, 2)


def test_what_a_lying_vendor_passed_over_may_arrive_after_later_ones() -> None:
    explained = {"lost_answers": 1, "lost_events": 2}
    assert verdict_on("2", "3", "1", "2", "3", passed_over={"1"}, **explained).faults == ()
    assert "1 arrived first after a later one: ['1']" in verdict_on("2", "3", "1").faults[0]
    assert (
        "1 arrived first after a later one: ['2']" in verdict_on("3", "2", "1", passed_over={"1"}).faults[0]
    )


def test_a_batch_that_came_three_times_is_two_repeats() -> None:
    arrived = ("1", "2", "1", "2", "1", "2", "3")
    assert verdict_on(*arrived, lost_answers=2, lost_events=4).faults == ()
    assert "2 repeats, 1 answers" in verdict_on(*arrived, lost_answers=1, lost_events=4).faults[0]
    assert "4 events arrived again" in verdict_on(*arrived, lost_answers=2, lost_events=3).faults[0]


def test_a_holder_that_froze_explains_two_repeats_where_events_go_one_by_one() -> None:
    # It sent 1 and 2 and froze with 3 under way; another sent 1, 2 and 3; then it went on.
    arrived, again = ("1", "2", "1", "2", "3", "3"), {"lost_events": 3}
    assert verdict_on(*arrived, lost_answers=repeats_of("librato.annotations"), **again).faults == ()
    assert (
        "2 repeats, 1 answers"
        in verdict_on(*arrived, lost_answers=repeats_of("baselime.events"), **again).faults[0]
    )
    more = (*arrived, "1", "2", "3")
    found = verdict_on(*more, lost_answers=repeats_of("librato.annotations"), lost_events=50)
    assert "3 repeats, 2 answers" in found.faults[0]


@pytest.mark.parametrize(
    ("arrived", "more", "fault"),
    [
        (["1", "3"], {}, "1 acknowledged and lost: ['2']"),
        ([], {}, "3 acknowledged and lost"),
        (["1", "2"], {"ledger": ledger(cursor=2, delivered=2)}, "1 still wait: ['3']"),
        (["1", "2", "3", "4"], {}, "arrived that nobody sent there: ['4']"),
        (["2", "1", "3"], {}, "1 arrived first after a later one: ['1']"),
        (["1", "2", "3", "3"], {}, "1 repeats, 0 answers were lost"),
        (["1", "2", "3"], {"ledger": ledger(delivered=2)}, "the ledger does not add up"),
        (["1", "2", "3"], {"ledger": ledger(delivered=2, dead=1)}, "1 dead, there are 0 dead letters"),
        (["1", "3"], {"ledger": ledger()}, "counts 3 delivered, the vendor took 2"),
        (["1", "2", "3"], {"leased": True}, "a lease is left"),
        (["1", "2", "3"], {"due": True}, "still due"),
        (["1", "2", "3"], {"user": "v"}, "arrived that nobody sent there"),
    ],
)
def test_each_kind_of_fault_is_found(arrived: list[str], more: dict[str, Any], fault: str) -> None:
    verdict = verdict_on(*arrived, **more)
    assert any(fault in found for found in verdict.faults), verdict


def test_an_event_at_two_places_is_found() -> None:
    history = a_history("1", "2", "3")
    history.note_acknowledged(["1"], [f"{STREAM}-4"])
    assert "1 was acknowledged at two places" in judge(history, []).faults


def test_two_events_at_one_place_are_found() -> None:
    history = a_history("1", tried=("1", "2"))
    history.note_acknowledged(["2"], [f"{STREAM}-1"])
    assert "2 and 1 were acknowledged at the same place" in judge(history, []).faults


def test_a_place_before_one_that_was_known_when_it_was_sent_is_found() -> None:
    history = a_history("2", tried=["2"])
    history.note_try("u", [("1", "deploy.done", False)])
    history.note_acknowledged(["1"], [f"{STREAM}-1"])
    assert any("seq 1" in fault and "after seq 2" in fault for fault in judge(history, []).faults)


def test_an_answer_that_no_host_app_should_see_is_found() -> None:
    history = a_history("1", "2", "3")
    history.note_unexpected(500)
    assert judge(history, []).faults == ("a host app was answered 500, 1 times",)


def test_what_is_lost_so_far_is_counted() -> None:
    assert lost(a_history("1", "2", "3"), [reached("1")]) == 2
