"""The web process for gunicorn, `webapp.wsgi:app`: made on first use; its workers stand behind a broker."""

import sys
from typing import TYPE_CHECKING

from webapp.app import create_app
from webapp.core import checks
from webapp.errors import SettingsError
from webapp.lib import heap, logs
from webapp.settings import Settings
from workers.app import app as celery_app
from workers.doorbell import Doorbell

if TYPE_CHECKING:
    from flask import Flask


def make() -> "Flask":
    """Read the settings, check them, join the parts. Ends the process with every fault named."""
    try:
        settings = Settings.load()
        logs.configure(settings.log_format)
        if settings.embedded:
            fault = "HITCHPOST_BROKER_URL is memory://, which lives inside `hitchpost run`; name a Redis here"
            raise SettingsError([fault])
        return create_app(checks.start(settings, wake=Doorbell(celery_app)))
    except SettingsError as error:
        sys.exit("\n".join(("Hitchpost cannot start:", *error.faults)))


def __getattr__(name: str) -> "Flask":
    # gunicorn asks for `app` in each of its workers, after the fork; importing this file opens nothing.
    if name == "app":
        globals()["app"] = make()
        heap.settle()
        made: Flask = globals()["app"]
        return made
    raise AttributeError(name)
