"""A worker process looks by itself, whatever the broker does, and stops when asked."""

import threading

from tests.waiting import wait_for
from workers.rounds import Round


class Looking:
    """A task that counts its runs; each can be held up."""

    name = "looking"

    def __init__(self) -> None:
        self.runs = 0
        self.may_end = threading.Event()
        self.may_end.set()

    def apply(self) -> None:
        self.runs += 1
        self.may_end.wait(5)


def test_a_round_looks_at_once_and_again_and_again() -> None:
    task = Looking()
    walking = Round(task, 0.02)
    walking.start()
    wait_for(lambda: task.runs >= 5)
    walking.end()
    walking.join(5)
    ended_at = task.runs
    threading.Event().wait(0.1)
    assert task.runs == ended_at


def test_a_round_that_waits_ends_without_delay() -> None:
    walking = Round(task := Looking(), 3600)
    walking.start()
    wait_for(lambda: task.runs == 1)
    walking.end()
    walking.join(1)
    assert not walking.walks


def test_a_run_under_way_is_waited_for() -> None:
    task = Looking()
    task.may_end.clear()
    walking = Round(task, 3600)
    walking.start()
    wait_for(lambda: task.runs == 1)
    walking.end()
    walking.join(0.05)
    assert walking.walks
    task.may_end.set()
    walking.join(5)
    assert not walking.walks
