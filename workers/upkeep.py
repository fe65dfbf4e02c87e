"""Upkeep: ends what has expired, drops what is old, and notes who lives."""

from webapp.core import installs, processes, retention
from workers import parts
from workers.app import app


@app.task(name="hitchpost.upkeep.sweep", ignore_result=True)
def sweep() -> None:
    """End expired installs, keep the retention rules, forget old processes."""
    runtime = parts.runtime()
    installs.sweep(runtime)
    retention.sweep(runtime)
    with runtime.database.write() as session:
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
