"""Upkeep: ends what has expired, drops what is old, and notes who lives."""

from webapp.core import installs, links, processes, retention, sessions
from workers import parts
from workers.app import app


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
