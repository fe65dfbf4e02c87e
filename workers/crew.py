"""What every worker process does beside its tasks: joins its parts, walks its rounds, and leaves in order."""

import sys
from typing import Any

from celery.signals import setup_logging, worker_init, worker_ready, worker_shutdown

from webapp.core import checks, processes
from webapp.core import refresh as core_refresh
from webapp.core.runtime import Runtime
from webapp.errors import SettingsError
from webapp.lib import heap, logs
from webapp.settings import Settings
from workers import delivery, environments, notices, parts, refresh, upkeep
from workers.app import app
from workers.doorbell import Doorbell
from workers.rounds import Round

log = logs.get(__name__)

#: A lost ring is made up for within so many seconds.
POLL_SECONDS = 2.0
_NOTE_SECONDS = 10.0
_INSTALLS_SECONDS = 5.0
_REVOKE_SECONDS = 10.0
_DELETE_SECONDS = 10.0
_UPKEEP_SECONDS = 60.0
#: An act is sealed into the audit's chain within a second.
AUDIT_SECONDS = 0.5
_FINISH_SECONDS = 25.0

_rounds: list[Round] = []
_own: list[tuple[Runtime, Doorbell]] = []


@setup_logging.connect
def _keep_our_logs(**_: Any) -> None:
    """Celery leaves logging alone when somebody answers this signal."""
    if not parts.are_joined():
        logs.configure(Settings.load().log_format)


@worker_init.connect
def _begin(**_: Any) -> None:
    if not parts.are_joined():
        _join_own()
    _rounds[:] = [
        Round(upkeep.note_worker, _NOTE_SECONDS),
        Round(delivery.drain, POLL_SECONDS),
        Round(refresh.sweep, POLL_SECONDS),
        Round(environments.sweep, POLL_SECONDS),
        Round(notices.sweep, POLL_SECONDS),
        Round(upkeep.tend_installs, _INSTALLS_SECONDS),
        Round(upkeep.revoke, _REVOKE_SECONDS),
        Round(upkeep.delete_users, _DELETE_SECONDS),
        Round(upkeep.seal_audit, AUDIT_SECONDS),
        Round(upkeep.sweep, _UPKEEP_SECONDS),
    ]
    for each in _rounds:
        each.start()


@worker_ready.connect
def _settle(**_: Any) -> None:
    heap.settle()


@worker_shutdown.connect
def _end(**_: Any) -> None:
    for each in _rounds:
        each.end()
    for each in _rounds:
        each.join(_FINISH_SECONDS)
    _rounds.clear()
    core_refresh.wait_until_landed()
    runtime = parts.runtime()
    with runtime.database.write() as session:
        processes.gone(session, runtime.process_id, processes.WORKER)
    parts.leave()
    for runtime, bell in _own:
        bell.close()
        runtime.close()
    _own.clear()


def _join_own() -> None:
    """A worker of its own process, started by `celery worker`."""
    bell = Doorbell(app)
    try:
        runtime = checks.start(Settings.load(), wake=bell)
    except SettingsError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)  # noqa: T201 - the first thing an operator sees
        raise SystemExit(1) from None
    _own.append((runtime, bell))
    parts.join(runtime)
