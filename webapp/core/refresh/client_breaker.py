"""The breaker of a Client: when the vendor refuses our own id or secret, or asks us to slow down, all of its
refreshes would fail alike. One probe at a time finds out when it is over; no connection is blamed meanwhile.
"""

from sqlalchemy import ColumnElement, Select, select, update
from sqlalchemy.orm import Session

from webapp.core import breakers, notices
from webapp.lib.backoff import full_jitter
from webapp.lib.database import db_time
from webapp.models import Breaker, Connection, Credential

SCOPE = "client"
_BASE_WAIT, _CAP_WAIT = 60.0, 900.0


def stopped() -> Select[str]:
    """The Clients that are not to be called now, for use inside another statement."""
    return breakers.stopped(SCOPE)


def is_stopped(session: Session, client_key: str) -> bool:
    """Whether this Client is not to be called now."""
    return session.scalar(stopped().where(Breaker.key == client_key)) is not None


def of_connection() -> ColumnElement[bool]:
    """Joins the breaker of a Connection's Client to it, in a statement that reads both."""
    return (Breaker.scope == SCOPE) & (Breaker.key == Connection.client_key)


def pass_by(session: Session, client_key: str) -> bool:
    """Whether a call may go out now though the breaker has tripped: as a probe, one at a time."""
    return breakers.enter(session, SCOPE, client_key)


def trip(session: Session, client_key: str, incident: str, *, seconds: float | None = None) -> float:
    """Stop the Client's calls for `seconds`, or for longer with every failure in a row; for how long."""
    failures = breakers.charge(session, SCOPE, client_key, incident).failures
    wait = full_jitter(failures, base=_BASE_WAIT, cap=_CAP_WAIT) if seconds is None else seconds
    breakers.stop(session, SCOPE, client_key, seconds=wait)
    return wait


def charge(session: Session, client_key: str, incident: str) -> None:
    """Note a refusal that may be our own fault. Nothing stops: another connection's refresh will tell."""
    breakers.charge(session, SCOPE, client_key, incident)


def tell_admins(session: Session, client_key: str, text: str) -> None:
    """Tell all admins, once an incident."""
    breaker = session.get_one(Breaker, (SCOPE, client_key))
    notices.tell_client_refused(session, client_key, text, since=breaker.since)


def close(session: Session, client_key: str) -> None:
    """The Client works. Refusals that were charged to it are asked again at once: now they tell the truth."""
    if not breakers.close(session, SCOPE, client_key):
        return
    of_client = select(Connection.id).where(Connection.client_key == client_key)
    session.execute(
        update(Credential)
        .where(
            Credential.connection_id.in_(of_client),
            Credential.refused_at.is_not(None),
            Credential.failures > 1,
            Credential.lease.is_(None),
        )
        .values(refresh_at=db_time())
        .execution_options(synchronize_session=False)
    )
