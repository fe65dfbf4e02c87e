"""gunicorn with one process of sixteen threads, and in it the worker and beat over memory://."""

import signal
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from webapp.app import create_app
from webapp.core import checks, refresh, streams
from webapp.core.runtime import Runtime
from webapp.lib.access_log import AccessLog
from webapp.settings import Settings
from workers.app import app as celery_app
from workers.app import use
from workers.doorbell import Doorbell
from workers.inside import CrewInside

THREADS = 16
#: What is under way may take so long to end, in seconds.
FINISH_SECONDS = 25


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """Everything is opened after gunicorn's fork, in the one process that serves, and closed there."""

    def __init__(self, settings: Settings, *, quiet: bool, ready: Callable[[], None] | None) -> None:
        self._settings = settings
        self._quiet = quiet
        self._ready = ready
        self._bell = Doorbell(celery_app)
        self._runtime: Runtime | None = None
        self._crew: CrewInside | None = None
        super().__init__()

    def load_config(self) -> None:
        """Settings by gunicorn's own names."""
        host = f"[{self._settings.bind}]" if ":" in self._settings.bind else self._settings.bind
        for name, value in {
            "bind": f"{host}:{self._settings.port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "graceful_timeout": FINISH_SECONDS,
            "control_socket_disable": True,
            "logger_class": AccessLog,
            "loglevel": "warning" if self._quiet else "info",
            "accesslog": None if self._quiet else "-",
            "post_worker_init": self._begin,
            "worker_exit": self._end,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Join the parts and make the application. Leases of a process that is gone are void on SQLite."""
        use(self._settings)
        self._runtime = checks.start(self._settings, wake=self._bell)
        if self._runtime.database.is_sqlite:
            with self._runtime.database.write() as session:
                streams.void_leases(session)
                refresh.void_leases(session)
        return create_app(self._runtime)

    def _begin(self, worker: Any) -> None:
        assert self._runtime is not None  # noqa: S101 - gunicorn loads before it calls this
        # Ctrl-C reaches gunicorn's parent and this process at once, and then comes the parent's SIGQUIT: with
        # gunicorn's handlers each cuts off what is under way. The parent alone decides; to end is to finish.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGQUIT, worker.handle_exit)
        crew = CrewInside(self._runtime)
        crew.start()
        self._crew = crew  # only now is there anything to stop
        first = worker.age == 1
        if self._ready is not None and first:
            self._ready()

    def _end(self, _server: object, _worker: object) -> None:
        if self._crew is not None:
            self._crew.stop()
        refresh.wait_until_landed()
        self._bell.close()
        if self._runtime is not None:
            self._runtime.close()
