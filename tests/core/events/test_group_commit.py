"""Group commit: waiting works share a run, and none can spoil another's."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from webapp.core.events.group_commit import GroupCommit
from webapp.errors import Conflict


class Runs:
    """Records groups; the first run waits until it is let go."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.began = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, works: Sequence[int]) -> list[int]:
        self.groups.append(list(works))
        self.began.set()
        assert self.let_go.wait(10)
        if any(work < 0 for work in works):
            raise Conflict
        return [work * 10 for work in works]


def submit_behind_one_that_runs(
    runs: Runs, group: GroupCommit[int, int], works: Sequence[int]
) -> list[object]:
    """Submit 1, and while it runs all `works`; what each came to."""

    def attempt(work: int) -> object:
        try:
            return group.submit(work)
        except Conflict as error:
            return error

    with ThreadPoolExecutor(len(works) + 1) as pool:
        first = pool.submit(attempt, 1)
        assert runs.began.wait(10)
        others = [pool.submit(attempt, work) for work in works]
        while len(group._waiting) < len(works):
            runs.began.wait(0.001)
        runs.let_go.set()
        return [future.result(10) for future in [first, *others]]


def test_what_waits_meanwhile_shares_one_run() -> None:
    runs = Runs()
    group = GroupCommit(runs, weigh=lambda _: 1, most=100)
    results = submit_behind_one_that_runs(runs, group, range(2, 12))
    assert results == [work * 10 for work in range(1, 12)]
    assert len(runs.groups) == 2
    assert sorted(runs.groups[1]) == list(range(2, 12))


def test_a_group_is_no_heavier_than_allowed_and_one_heavy_work_still_runs() -> None:
    runs = Runs()
    group = GroupCommit(runs, weigh=lambda work: work, most=10)
    results = submit_behind_one_that_runs(runs, group, [4, 5, 6, 50])
    assert sorted(str(result) for result in results) == ["10", "40", "50", "500", "60"]
    assert all(sum(works) <= 10 or len(works) == 1 for works in runs.groups)


def test_when_a_group_fails_each_is_tried_alone_and_only_the_bad_one_fails() -> None:
    runs = Runs()
    group = GroupCommit(runs, weigh=lambda _: 1, most=100)
    results = submit_behind_one_that_runs(runs, group, [2, -3, 4])
    assert (results[0], results[1], results[3]) == (10, 20, 40)
    assert isinstance(results[2], Conflict)
    assert sorted(map(len, runs.groups)) == [1, 1, 1, 1, 3]


def test_an_unforeseen_error_reaches_its_own_caller_and_strands_nobody() -> None:
    def run(works: Sequence[int]) -> list[int]:
        return [10 // work for work in works]

    group = GroupCommit(run, weigh=lambda _: 1, most=100)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(group.submit, work) for work in (1, 2, 0, 5, 10, 1, 2, 5)]
    assert sum(future.exception() is not None for future in futures) >= 1
    assert all(
        isinstance(future.exception(), ZeroDivisionError)
        for future in futures
        if future.exception() is not None
    )


def test_one_alone_raises_its_error() -> None:
    runs = Runs()
    runs.let_go.set()
    with pytest.raises(Conflict):
        GroupCommit(runs, weigh=lambda _: 1, most=100).submit(-1)
    assert runs.groups == [[-1]]
