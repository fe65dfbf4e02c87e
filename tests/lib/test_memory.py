"""A memory is brief and bounded."""

import pytest

from webapp.lib import memory
from webapp.lib.memory import Memory


def test_what_was_put_is_known_for_its_seconds_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(memory.time, "monotonic", lambda: now)
    known: Memory[str, int] = Memory(seconds=1.0, most=10)
    known.put("a", 1)
    assert (known.get("a"), known.get("b")) == (1, None)
    now = 101.0
    assert known.get("a") is None


def test_it_never_holds_more_than_its_bound() -> None:
    known: Memory[int, int] = Memory(seconds=60, most=2)
    for key in range(5):
        known.put(key, key)
    assert [key for key in range(5) if known.get(key) is not None] == [4]


def test_it_can_forget() -> None:
    known: Memory[str, int] = Memory(seconds=60, most=2)
    known.put("a", 1)
    known.forget()
    assert known.get("a") is None
