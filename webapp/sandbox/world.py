"""The sandbox as a whole, without sockets: every vendor, and the console with the control API."""

import dataclasses
import os
from collections.abc import Mapping

from flask import Flask

from webapp.sandbox.baselime.accounts import Client
from webapp.sandbox.baselime.apps import Baselime
from webapp.sandbox.desk import DEFAULT_REDIRECT, Desk, Settings
from webapp.sandbox.last9.apps import Last9
from webapp.sandbox.librato.apps import Librato

PORTS = ("console", "baselime", "baselime_events", "baselime_otel", "last9", "librato")
"""Which app answers on port P, P+1, …"""


class World:
    """All simulated vendors over one desk."""

    def __init__(self, settings: Settings, client: Client) -> None:
        self.desk = Desk(dataclasses.replace(settings))
        self.baselime = Baselime(self.desk, client)
        self.last9 = Last9(self.desk)
        self.librato = Librato(self.desk)
        self._start = dataclasses.asdict(settings)

    def vendor_apps(self) -> dict[str, Flask]:
        return {**self.baselime.apps, "last9": self.last9.app, "librato": self.librato.app}

    def begin_with(self, **settings: object) -> None:
        """Change settings, and let a reset come back to these."""
        self.desk.settings.change(settings)
        self._start |= settings

    def reset(self) -> None:
        """Make everything as at the start: accounts and keys, settings, no faults, nothing received."""
        self.desk.settings.change(self._start)
        self.desk.faults.clear()
        self.desk.recorder.forget()
        self.baselime.reset()
        self.last9.reset()
        self.librato.reset()


def new_world(redirect_url: str = DEFAULT_REDIRECT, variables: Mapping[str, str] = os.environ) -> World:
    """Return a world at its start, with the Baselime client that these variables name."""
    return World(Settings(redirect_url=redirect_url), Client.from_environment(variables))
