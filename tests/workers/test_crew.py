"""What a worker does once it is ready: in a process of its own, and inside the web process."""

import gc
import threading
from collections.abc import Iterator
from unittest.mock import Mock

import pytest
from celery.signals import worker_ready

import workers.crew  # noqa: F401 - it listens
from workers import inside, parts
from workers.inside import CrewInside


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_a_worker_that_is_ready_leaves_what_it_is_made_of_out_of_collections() -> None:
    worker_ready.send(sender=None)
    assert gc.get_freeze_count() > 0


def test_so_does_the_one_inside_the_web_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "use", Mock())
    crew = CrewInside(Mock())
    monkeypatch.setattr(crew, "_thread", threading.Thread(target=crew._ready.set))
    monkeypatch.setattr(crew, "_beat", Mock())
    crew.start()
    parts.leave()
    assert gc.get_freeze_count() > 0
