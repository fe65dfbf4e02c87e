"""Every way out: an ending wipes what is sealed in the same transaction."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from webapp.core import audit
from webapp.core.audit import HITCHPOST, Act, Actor
from webapp.core.connections import moment_of
from webapp.core.installs.browser import Browser, admit
from webapp.core.installs.endings import Ending
from webapp.errors import Conflict
from webapp.lib.database import db_time
from webapp.models import OPEN_STATES, Install, InstallState

#: An exchange's own deadline passes before its row is given up.
EXCHANGE_GRACE = timedelta(seconds=30)
#: Ended rows keep their code's digest this long, so that no code is ever sent twice.
KEPT = timedelta(days=30)
_WORDS_CHARACTERS = 300

_EXPIRY = {
    InstallState.INTENT: (InstallState.EXPIRED, Ending.UNANSWERED),
    InstallState.RECEIVED: (InstallState.FAILED, Ending.VENDOR_DOWN),
    InstallState.EXCHANGING: (InstallState.FAILED, Ending.INTERRUPTED),
    InstallState.PENDING: (InstallState.EXPIRED, Ending.NOT_CONFIRMED),
    InstallState.PROVING: (InstallState.EXPIRED, Ending.PROOF_EXPIRED),
    InstallState.PROVEN: (InstallState.EXPIRED, Ending.NOT_CONFIRMED),
}


def finish(
    session: Session,
    install: Install,
    state: InstallState,
    ending: Ending | None,
    *,
    actor: Actor = HITCHPOST,
    words: str | None = None,
) -> None:
    """Bring an open install to its end. `ending` is None only for a confirmed one."""
    install.state, install.ending = state, ending
    install.sealed = install.proofs = install.lease = None
    if words is not None:
        install.words = words[:_WORDS_CHARACTERS]
    why = f"{state.value}: {ending.value}" if ending else state.value
    audit.record(
        session,
        actor,
        Act.INSTALL_ENDED,
        f"install:{install.id}",
        connection_id=install.connection_id,
        detail=f"{why} ({install.words})" if install.words else why,
    )


def cancel(session: Session, install_id: UUID, browser: Browser) -> None:
    """Its owner gives up: the grant is forgotten. Raises NotFound for strangers, Conflict once it ended."""
    install = admit(session, install_id, browser)
    if install.state not in OPEN_STATES:
        raise Conflict("this attempt has ended already")
    actor = Actor.user(install.user_id) if install.user_id else HITCHPOST
    finish(session, install, InstallState.CANCELLED, Ending.CANCELLED, actor=actor)


def expire(session: Session, install_id: UUID | None = None) -> int:
    """End what has outlived its clock, or only that install; how many. Rows long ended are deleted."""
    due = select(Install).where(Install.state.in_(OPEN_STATES), Install.expires_at <= db_time())
    due = due.where(Install.id == install_id) if install_id else due.limit(500)
    now = moment_of(session)
    ended = 0
    for install in session.scalars(due.with_for_update(skip_locked=install_id is None)):
        if install.state is InstallState.EXCHANGING and now < install.expires_at + EXCHANGE_GRACE:
            continue
        state, ending = _EXPIRY[install.state]
        finish(session, install, state, ending)
        ended += 1
    if install_id is None:
        session.execute(
            delete(Install).where(Install.state.not_in(OPEN_STATES), Install.created_at < now - KEPT)
        )
    return ended
