"""Waiting for a condition, never for luck."""

import time
from collections.abc import Callable


def wait_for(holds: Callable[[], object], *, seconds: float = 5.0, pause: float = 0.01) -> None:
    """Return as soon as `holds()` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {seconds:g} s")
        time.sleep(pause)
