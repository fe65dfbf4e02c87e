"""Refresh: trades the refresh tokens that are due, a few at a time."""

from webapp.core import refresh
from webapp.core.runtime import Bell
from workers import parts
from workers.app import app

#: A sweep's credentials, and after how many seconds it begins no other: a slow vendor must not hold a place.
LIMIT, SECONDS = 100, 3.0


@app.task(name="hitchpost.refresh.sweep", ignore_result=True)
def sweep() -> None:
    """Refresh what is due; while there was some, the next sweep follows at once."""
    runtime = parts.runtime()
    if refresh.sweep(runtime, limit=LIMIT, seconds=SECONDS):
        runtime.wake(Bell.REFRESH)
