"""Environments: the vendor's list, fetched daily and applied as a difference.

An empty or broken list deletes nothing. Only accounts that this connection holds are looked at: a workspace
that its owner never confirmed stays out, however often the vendor lists it.
"""

from webapp.core.environments.difference import Diff, apply
from webapp.core.environments.fetching import fetch, next_fetch_seconds, sweep
from webapp.core.environments.holds import tend
from webapp.core.environments.keys import after_access_refused, after_key_refused

__all__ = [
    "Diff",
    "after_access_refused",
    "after_key_refused",
    "apply",
    "fetch",
    "next_fetch_seconds",
    "sweep",
    "tend",
]
