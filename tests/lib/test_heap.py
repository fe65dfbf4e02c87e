"""What a process is made of is not walked again by the garbage collector; what comes later is."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from webapp.lib import heap


@pytest.fixture
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


class Ring:
    """Refers to itself: only the collector ends it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.usefixtures("_thawed")
def test_what_is_there_is_collected_once_and_then_left_alone() -> None:
    over, kept = weakref.ref(Ring()), Ring()
    heap.settle()
    assert over() is None
    assert not any(one is kept for one in gc.get_objects())


@pytest.mark.usefixtures("_thawed")
def test_what_comes_later_is_collected_as_ever() -> None:
    heap.settle()
    later = weakref.ref(Ring())
    gc.collect()
    assert later() is None
