"""The breaker of a Client: when the vendor refuses our own id or secret, or asks us to slow down, all of its
refreshes would fail alike. One probe at a time finds out when it is over; no connection is blamed meanwhile.
"""

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from webapp.core import notices
from webapp.lib.backoff import full_jitter
from webapp.lib.database import db_time
from webapp.models import Breaker, Connection, Credential

SCOPE = "client"
#: A probe that never comes back frees its place after this long.
PROBE_SECONDS = 60.0
_BASE_WAIT, _CAP_WAIT = 60.0, 900.0
_WORDS_CHARACTERS = 300


def blocked(session: Session) -> frozenset[str]:
    """The Clients that are not to be called now."""
    keys = session.scalars(select(Breaker.key).where(Breaker.scope == SCOPE, Breaker.open_until > db_time()))
    return frozenset(keys)


def enter(session: Session, client_key: str) -> bool:
    """Whether a call may go out now. Once a breaker has tripped, that is one probe at a time."""
    standing = session.get(Breaker, (SCOPE, client_key))
    if standing is None or standing.open_until <= standing.since:
        return True  # never tripped, at most charged
    probe = session.execute(
        update(Breaker)
        .where(Breaker.scope == SCOPE, Breaker.key == client_key, Breaker.open_until <= db_time())
        .values(open_until=db_time(PROBE_SECONDS))
        .returning(Breaker.key)
        .execution_options(synchronize_session=False)
    )
    return probe.one_or_none() is not None


def trip(session: Session, client_key: str, incident: str, *, seconds: float | None = None) -> float:
    """Stop the Client's calls for `seconds`, or for longer with every failure in a row; for how long."""
    breaker = _standing(session, client_key, incident)
    breaker.failures += 1
    wait = full_jitter(breaker.failures, base=_BASE_WAIT, cap=_CAP_WAIT) if seconds is None else seconds
    session.flush()
    session.execute(
        update(Breaker)
        .where(Breaker.scope == SCOPE, Breaker.key == client_key)
        .values(open_until=db_time(wait))
        .execution_options(synchronize_session=False)
    )
    return wait


def charge(session: Session, client_key: str, incident: str) -> None:
    """Note a refusal that may be our own fault. Nothing stops: another connection's refresh will tell."""
    _standing(session, client_key, incident).failures += 1


def tell_admins(session: Session, client_key: str, text: str) -> None:
    """Tell all admins, once an incident."""
    breaker = session.get_one(Breaker, (SCOPE, client_key))
    notices.tell_client_refused(session, client_key, text, since=breaker.since)


def close(session: Session, client_key: str) -> None:
    """The Client works. Refusals that were charged to it are asked again at once: now they tell the truth."""
    closed = session.execute(
        delete(Breaker)
        .where(Breaker.scope == SCOPE, Breaker.key == client_key)
        .returning(Breaker.key)
        .execution_options(synchronize_session=False)
    )
    if closed.one_or_none() is None:
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


def _standing(session: Session, client_key: str, incident: str) -> Breaker:
    breaker = session.get(Breaker, (SCOPE, client_key), with_for_update=True)
    if breaker is None:
        now = session.execute(select(db_time())).scalar_one()
        breaker = Breaker(scope=SCOPE, key=client_key, open_until=now, failures=0, since=now)
        session.add(breaker)
    breaker.incident = incident[:_WORDS_CHARACTERS]
    return breaker
