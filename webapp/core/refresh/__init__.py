"""Refresh: a refresh token traded for a new access token before expiry, by one holder at a time.

The schedule is row data (`refresh_at`). A lease is taken in one short transaction, the vendor is called with
none open, and what it said is settled in another, by compare-and-set on lease and generation: a holder that
comes late changes nothing.
"""

from webapp.core.refresh.access import fresh_access, is_fresh
from webapp.core.refresh.answers import wait_until_landed
from webapp.core.refresh.lease import void_leases
from webapp.core.refresh.outcomes import Outcome
from webapp.core.refresh.sample import Sample, refresh_samples
from webapp.core.refresh.turns import refresh_one, sweep

__all__ = [
    "Outcome",
    "Sample",
    "fresh_access",
    "is_fresh",
    "refresh_one",
    "refresh_samples",
    "sweep",
    "void_leases",
    "wait_until_landed",
]
