"""Destinations: where a stream goes, and what a person or a finding does to one.

Every change locks the stream first, then the destination: the order in which events are accepted.
"""

from webapp.core.destinations.holds import (
    close_for_connection,
    hold,
    hold_for_connection,
    release,
    release_for_connection,
    release_refused,
)
from webapp.core.destinations.making import change_settings, create, kinds_for
from webapp.core.destinations.rewinding import Range, backfill, measure_rewind, rewind
from webapp.models import Hold

__all__ = [
    "Hold",
    "Range",
    "backfill",
    "change_settings",
    "close_for_connection",
    "create",
    "hold",
    "hold_for_connection",
    "kinds_for",
    "measure_rewind",
    "release",
    "release_for_connection",
    "release_refused",
    "rewind",
]
