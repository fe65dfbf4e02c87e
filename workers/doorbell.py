"""Rings for workers from a background thread: at once, one ring of a kind at a time, and never an error.

The caller has committed its row and goes on. If the ring is lost, a poll finds the row up to 2 s later.
"""

import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from celery import Celery
from kombu import Connection
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from webapp.core.runtime import Bell
from webapp.lib import logs
from workers.app import TASK_OF

log = logs.get(__name__)

#: Rings of one kind that come closer than this are one ring, in seconds.
GAP_SECONDS = 0.02
#: A worker that has not come to the door by then will have polled, in seconds.
_EXPIRES_SECONDS = 5.0
_TIMEOUT_SECONDS = 1.0
_REPORT_SECONDS = 60.0
#: Give up on a broker that is away: no second try, and nothing that takes longer than a second.
_PROMPT = {
    "max_retries": 0,
    "socket_timeout": _TIMEOUT_SECONDS,
    "socket_connect_timeout": _TIMEOUT_SECONDS,
}


class Doorbell:
    """What `runtime.wake` is. Its thread starts with the first ring: a fork before that does no harm."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._rung: set[Bell] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._connection: Connection | None = None
        self._closed = False
        self._reported = float("-inf")

    def __call__(self, bell: Bell) -> None:
        """Note that there is work, and return."""
        with self._changed:
            self._rung.add(bell)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._serve, name="doorbell", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """End the thread; rings still to be sent are left to the polls."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(2 * _TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._rung or self._closed)
                if self._closed:
                    break
                rung, self._rung = self._rung, set()
            for bell in rung:
                self._send(bell)
            with self._changed:
                self._changed.wait_for(lambda: self._closed, timeout=GAP_SECONDS)
        self._hang_up()

    def _send(self, bell: Bell) -> None:
        name = TASK_OF[bell]
        try:
            if self._connection is None:
                self._connection = self._app.connection_for_write(transport_options=_PROMPT)
            self._app.send_task(name, connection=self._connection, retry=False, expires=_EXPIRES_SECONDS)
        except (KombuError, RedisError, OSError) as error:
            self._hang_up()
            self._report(bell, error)

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(KombuError, RedisError, OSError):
                connection.release()

    def _report(self, bell: Bell, error: Exception) -> None:
        if time.monotonic() - self._reported >= _REPORT_SECONDS:
            self._reported = time.monotonic()
            log.warning("nobody answers the doorbell; workers poll", bell=bell, error=type(error).__name__)
