"""Notices: carries errands out of the house, and watches over incidents."""

from webapp.core import notices
from webapp.core.runtime import Bell
from workers import parts
from workers.app import app

#: Errands of one sweep; if it was full, the next sweep follows at once.
LIMIT = 50


@app.task(name="hitchpost.notices.sweep", ignore_result=True)
def sweep() -> None:
    """Send what is due."""
    runtime = parts.runtime()
    if notices.sweep(runtime, limit=LIMIT) >= LIMIT:
        runtime.wake(Bell.NOTICES)
