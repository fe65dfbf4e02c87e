"""Upkeep: ends what has expired, drops what is old, and notes who lives."""

import time

from webapp.core import (
    audit_chain,
    deletion,
    installs,
    links,
    notices,
    processes,
    restores,
    retention,
    revocation,
    sessions,
)
from webapp.lib import logs
from workers import parts
from workers.app import app

log = logs.get(__name__)

#: How often the audit's head is logged, in seconds: a log kept elsewhere is what vouches for it.
_ANCHOR_SECONDS = 60.0


class _Anchors:
    """The head that this process sealed last, until it is logged."""

    def __init__(self) -> None:
        self._head: audit_chain.Anchor | None = None
        self._next = time.monotonic() + _ANCHOR_SECONDS

    def note(self, head: audit_chain.Anchor | None) -> None:
        """Keep `head`, if there is a new one, and log what is kept when it is time."""
        self._head = head or self._head
        if self._head is not None and time.monotonic() >= self._next:
            log.info("audit sealed", anchor=str(self._head))
            self._head, self._next = None, time.monotonic() + _ANCHOR_SECONDS


_anchors = _Anchors()


@app.task(name="hitchpost.upkeep.tend_installs", ignore_result=True)
def tend_installs() -> None:
    """Try codes again while they live, and wipe grants that nobody confirmed in time."""
    installs.sweep(parts.runtime())


@app.task(name="hitchpost.upkeep.revoke", ignore_result=True)
def revoke() -> None:
    """Ask vendors again to end what a disconnect left with them."""
    revocation.sweep(parts.runtime())


@app.task(name="hitchpost.upkeep.delete_users", ignore_result=True)
def delete_users() -> None:
    """Go on with what is there of users that are being deleted."""
    deletion.sweep(parts.runtime())


@app.task(name="hitchpost.upkeep.sweep", ignore_result=True)
def sweep() -> None:
    """Keep the retention rules; forget sessions, links and processes that have ended."""
    runtime = parts.runtime()
    restores.move_stamp(runtime)
    retention.sweep(runtime)
    with runtime.database.write() as session:
        sessions.forget_ended(session)
        links.forget_ended(session)
        notices.forget(session)
        processes.forget(session)


@app.task(name="hitchpost.upkeep.seal_audit", ignore_result=True)
def seal_audit() -> None:
    """Give the latest audit lines their places in the chain, and now and then log where it ends."""
    _anchors.note(audit_chain.seal(parts.runtime()))


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
