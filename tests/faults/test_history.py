"""The checker itself finds each kind of fault, and none where there is none."""

import pytest

from tests.faults.history import History, judge


def _history(*acknowledged: str, tried: tuple[str, ...] = ("1", "2", "3")) -> History:
    history = History()
    for event_id in tried:
        history.note_try("u", event_id)
    for event_id in acknowledged:
        history.note_acknowledged("u", event_id)
    return history


def test_all_in_order_is_no_fault() -> None:
    assert judge(_history("1", "2", "3"), {"u": ["1", "2", "3"]}, {}).faults == ()


def test_an_event_that_was_never_acknowledged_may_arrive_or_not() -> None:
    assert judge(_history("1", "2"), {"u": ["1", "2", "3"]}, {}).faults == ()
    assert judge(_history("1", "2"), {"u": ["1", "2"]}, {}).faults == ()


def test_an_explained_repeat_is_no_fault() -> None:
    verdict = judge(_history("1", "2", "3"), {"u": ["1", "2", "1", "2", "3"]}, {"u": 1})
    assert verdict.faults == ()
    assert verdict.repeats == 1


def test_a_batch_that_came_three_times_is_two_repeats() -> None:
    arrived = ["1", "2", "1", "2", "1", "2", "3"]
    assert judge(_history("1", "2", "3"), {"u": arrived}, {"u": 2}).faults == ()
    assert judge(_history("1", "2", "3"), {"u": arrived}, {"u": 1}).faults


@pytest.mark.parametrize(
    ("arrived", "fault"),
    [
        (["1", "3"], "acknowledged and lost: ['2']"),
        ([], "3 acknowledged and lost"),
        (["1", "2", "3", "4"], "arrived that nobody sent: ['4']"),
        (["2", "1", "3"], "arrived first after a later one: ['1']"),
        (["1", "2", "3", "3"], "1 repeats, the attempts explain 0"),
    ],
)
def test_each_kind_of_fault_is_found(arrived: list[str], fault: str) -> None:
    verdict = judge(_history("1", "2", "3"), {"u": arrived}, {})
    assert any(fault in found for found in verdict.faults), verdict


def test_another_users_event_is_a_fault() -> None:
    assert judge(_history("1"), {"u": ["1"], "v": ["1"]}, {}).faults
