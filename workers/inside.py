"""The worker and beat inside the web process, in threads, over a broker that is nothing but memory."""

import threading
import time
from typing import Protocol, cast

import celery.worker.state
from celery.beat import EmbeddedService
from celery.worker import WorkController

from webapp.core.runtime import Bell, Runtime
from webapp.lib import heap, logs
from workers import parts
from workers.app import app, use

log = logs.get(__name__)

THREADS = 20
_START_SECONDS = 30.0
_FINISH_SECONDS = 25.0
_RING_SECONDS = 0.1


class BeatService(Protocol):
    """What ticks in it."""

    def stop(self) -> None: ...


class Beat(Protocol):
    """What Celery's EmbeddedService is, when it is a thread."""

    service: BeatService

    def start(self) -> None: ...


class CrewInside:
    """Start it once a process, after any fork."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
        self._beat = cast("Beat", EmbeddedService(app, thread=True, scheduler_cls="celery.beat:Scheduler"))

    def start(self) -> None:
        """Start the worker, wait until it listens, start beat. The rest of the process is there by now."""
        use(self._runtime.settings)
        parts.join(self._runtime)
        app.loader.import_default_modules()
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            log.error("the worker inside does not come up", seconds=_START_SECONDS)
        self._beat.start()
        heap.settle()  # here Celery does not say that a worker is ready

    def stop(self) -> None:
        """Let the tasks under way end, for 25 s at most; what is queued is found in the database again."""
        vars(celery.worker.state)["should_stop"] = 0  # how Celery is asked from another thread
        self._beat.service.stop()  # not waited for: it sleeps a second, and only rings
        end = time.monotonic() + _FINISH_SECONDS
        while self._thread.is_alive() and time.monotonic() < end:
            # It looks when something comes in, or else after 2 s; and does so once more before it goes.
            self._runtime.wake(Bell.ENVIRONMENTS)
            self._thread.join(_RING_SECONDS)
        vars(celery.worker.state)["should_stop"] = None

    def _work(self) -> None:
        WorkController(
            app,
            pool_cls="threads",
            concurrency=THREADS,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            ready_callback=lambda _consumer: self._ready.set(),
        ).start()
