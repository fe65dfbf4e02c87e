"""Refresh: trades the refresh tokens that are due, a few at a time."""

from webapp.core import refresh
from webapp.core.runtime import Bell
from workers import parts
from workers.app import app

#: Credentials of one sweep; if it was full, the next sweep follows at once.
LIMIT = 20


@app.task(name="hitchpost.refresh.sweep", ignore_result=True)
def sweep() -> None:
    """Refresh what is due."""
    runtime = parts.runtime()
    if refresh.sweep(runtime, limit=LIMIT) >= LIMIT:
        runtime.wake(Bell.REFRESH)
