"""`hitchpost run`: the web with its worker inside, in one process tree, over SQLite or PostgreSQL."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from webapp.cli import home as homes
from webapp.cli.migrate import sqlite_path
from webapp.core import checks
from webapp.errors import Conflict, SettingsError
from webapp.lib import logs
from webapp.settings import Settings

_LOCK_SECONDS = 5.0


@click.command()
def run() -> None:
    """Serve pages and API, with the worker inside.

    It listens on HITCHPOST_BIND and HITCHPOST_PORT.
    For PostgreSQL and Redis with processes of their own, see the Procfile instead. Ctrl-C or SIGTERM finishes
    what is under way, for at most 25 seconds.
    """
    settings = homes.settings()
    logs.configure(settings.log_format)
    serve(settings)


def serve(settings: Settings, *, quiet: bool = False, ready: Callable[[], None] | None = None) -> None:
    """Serve until told to stop. Raises SettingsError with every fault, Conflict if the file is taken."""
    if not settings.embedded:
        fault = "HITCHPOST_BROKER_URL names a broker: with one, run the processes of the Procfile"
        raise SettingsError([fault])
    checks.start(settings).close()
    from webapp.cli.server import Server  # noqa: PLC0415 - gunicorn and every page: not for --help

    with _alone(settings):
        Server(settings, quiet=quiet, ready=ready).run()


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """SQLite has one writer at a time by a mutex inside the process: no second server on the same file."""
    path = sqlite_path(settings.database_url.get_secret_value())
    if path is None:
        yield
        return
    with Path(f"{path}.lock").open("a") as lock:
        _take(lock.fileno(), path)
        yield


def _take(descriptor: int, path: Path) -> None:
    # A server that was killed leaves a child that holds the lock until it notices: worth a moment's patience.
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() > deadline:
            message = f"Another server runs on {path}. Stop it first; one file has one server."
            raise Conflict(message)
        time.sleep(0.1)
