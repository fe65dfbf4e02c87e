"""Baselime: connects by install redirect, refreshes, lists environments, takes events.

Baselime docs, "API Integration", "Events API" and "OpenTelemetry".
"""

from typing import ClassVar

from webapp.settings import Settings


class Baselime:
    """The provider."""

    name: ClassVar[str] = "baselime"
    title: ClassVar[str] = "Baselime"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
