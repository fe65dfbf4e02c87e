"""What this process has asked and what it was answered, until the database has taken it.

An answer with a new refresh token exists nowhere but here. When the database cannot take it, a thread that is
no daemon tries again until it can; so the process does not end before, and asks for nothing else meanwhile.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import exc

from webapp.lib import logs

log = logs.get(__name__)

#: What passes by itself. Waiting for the end of any other error would stop all refreshes for ever.
DATABASE_TROUBLE = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError)
#: Well below what a called holder is given to land its answer.
_AGAIN_SECONDS = 0.5

_changed = threading.Condition()
_at_work: Counter[UUID] = Counter()
_held: set[UUID] = set()


@contextmanager
def working_on(credential_id: UUID) -> Iterator[None]:
    """This process refreshes it now, and nobody else here will, whatever a clock makes of its lease."""
    with _changed:
        _at_work[credential_id] += 1
    try:
        yield
    finally:
        with _changed:
            _at_work[credential_id] -= 1
            if not _at_work[credential_id]:
                del _at_work[credential_id]


def at_work_on(credential_id: UUID) -> bool:
    """Whether this process refreshes it, or holds its answer."""
    with _changed:
        return credential_id in _at_work or credential_id in _held


def are_held() -> bool:
    """Whether the database has not taken an answer yet."""
    return bool(_held)


def hold(credential_id: UUID, land: Callable[[], object]) -> None:
    """Call `land` until the database takes it; returns at once."""
    with _changed:
        _held.add(credential_id)
    log.error("the database does not take an answer; it is held", credential_id=str(credential_id))
    threading.Thread(target=_insist, args=(credential_id, land), name="held answer").start()


def wait_until_landed() -> None:
    """Return when nothing is held any more, however long that takes."""
    with _changed:
        _changed.wait_for(lambda: not _held)


def _insist(credential_id: UUID, land: Callable[[], object]) -> None:
    try:
        while not _lands(land):
            threading.Event().wait(_AGAIN_SECONDS)
        log.info("the held answer has landed", credential_id=str(credential_id))
    finally:
        with _changed:
            _held.discard(credential_id)
            _changed.notify_all()


def _lands(land: Callable[[], object]) -> bool:
    try:
        land()
    except DATABASE_TROUBLE:
        return False
    return True
