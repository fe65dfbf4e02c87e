"""Upkeep seals the audit by itself, and tells the log where the chain ends."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.runtimes import running
from tests.waiting import wait_for
from webapp.core import audit_chain
from webapp.core.audit import HITCHPOST, Act, record
from webapp.core.audit_chain import Anchor
from webapp.core.runtime import Runtime
from workers import parts, upkeep
from workers.crew import AUDIT_SECONDS
from workers.rounds import Round


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    with running(f"sqlite:///{tmp_path / 'hitchpost.db'}") as made:
        parts.join(made)
        yield made
        parts.leave()


def test_a_line_is_sealed_within_a_second(runtime: Runtime) -> None:
    assert AUDIT_SECONDS < 1
    walking = Round(upkeep.seal_audit, AUDIT_SECONDS)
    walking.start()
    try:
        for number in range(1, 4):
            with runtime.database.write() as session:
                record(session, HITCHPOST, Act.TOLD, "user:ada")
            wait_for(partial(_has_sealed, runtime, number))
    finally:
        walking.end()
        walking.join(5)


def test_the_latest_head_is_logged_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    moment = 1000.0
    monkeypatch.setattr(upkeep.log, "info", lambda _event, *, anchor: told.append(anchor))
    monkeypatch.setattr(time, "monotonic", lambda: moment)
    anchors = upkeep._Anchors()
    for number in range(1, 4):
        anchors.note(Anchor(number, bytes(32)))
    assert told == []
    moment += 60
    anchors.note(None)
    moment += 600
    anchors.note(None)
    assert told == [str(Anchor(3, bytes(32)))]


def _has_sealed(runtime: Runtime, count: int) -> bool:
    return audit_chain.verify(runtime).good == count
