"""Rounds: each worker process looks for work by itself, so that losing the broker or beat costs one poll."""

import random
import threading
from typing import Protocol


class Task(Protocol):
    """What a round runs: a Celery task, here and now, with Celery's own report when it fails."""

    name: str

    def apply(self) -> object:
        """Run it in this thread; it never raises."""
        ...


class Round:
    """Runs one task again and again, about every `seconds`, from a thread of its own."""

    def __init__(self, task: Task, seconds: float) -> None:
        self._task = task
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._walk, name=f"round {task.name}", daemon=True)

    def start(self) -> None:
        """Begin, with the first look at once."""
        self._thread.start()

    def end(self) -> None:
        """Ask it to stop; `join` waits for the run under way."""
        self._over.set()

    def join(self, seconds: float) -> None:
        """Wait until it has stopped, for so long at most."""
        self._thread.join(seconds)

    @property
    def walks(self) -> bool:
        """Whether its thread is still there."""
        return self._thread.is_alive()

    def _walk(self) -> None:
        while not self._over.is_set():
            self._task.apply()
            # Jitter keeps many workers from looking all at the same moment; never later than promised.
            self._over.wait(self._seconds * (0.75 + 0.25 * random.random()))  # noqa: S311 - spreading load
