"""Upkeep: ends what has expired, drops what is old, and notes who lives."""

import time

from webapp.core import audit_chain, installs, links, processes, retention, sessions
from webapp.lib import logs
from workers import parts
from workers.app import app

log = logs.get(__name__)

#: How often the audit's head is logged at most, in seconds: a log kept elsewhere is what vouches for it.
_ANCHOR_SECONDS = 60.0
_anchored: list[float] = []


@app.task(name="hitchpost.upkeep.tend_installs", ignore_result=True)
def tend_installs() -> None:
    """Try codes again while they live, and wipe grants that nobody confirmed in time."""
    installs.sweep(parts.runtime())


@app.task(name="hitchpost.upkeep.sweep", ignore_result=True)
def sweep() -> None:
    """Keep the retention rules; forget sessions, links and processes that have ended."""
    runtime = parts.runtime()
    retention.sweep(runtime)
    with runtime.database.write() as session:
        sessions.forget_ended(session)
        links.forget_ended(session)
        processes.forget(session)


@app.task(name="hitchpost.upkeep.seal_audit", ignore_result=True)
def seal_audit() -> None:
    """Give the latest audit lines their places in the chain, and now and then log where it ends."""
    head = audit_chain.seal(parts.runtime())
    if head is not None and (not _anchored or time.monotonic() - _anchored[0] > _ANCHOR_SECONDS):
        _anchored[:] = [time.monotonic()]
        log.info("audit sealed", anchor=str(head))


@app.task(name="hitchpost.upkeep.note_beat", ignore_result=True)
def note_beat() -> None:
    """Whoever runs this was rung by beat: beat lives."""
    with parts.runtime().database.write() as session:
        processes.seen(session, processes.ANY_BEAT, processes.BEAT)


@app.task(name="hitchpost.upkeep.note_worker", ignore_result=True)
def note_worker() -> None:
    """This worker lives."""
    runtime = parts.runtime()
    with runtime.database.write() as session:
        processes.seen(session, runtime.process_id, processes.WORKER)
