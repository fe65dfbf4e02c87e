"""Watching over incidents: what has lasted is told, what has stayed well is closed.

Several connections that one vendor leaves without an answer are one incident of the vendor: admins are told
of it, and the owners' own notices wait until it is over. Most are never needed then.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webapp.core.notices.incidents import CALM, client_troubled, close, finish, now_of
from webapp.core.notices.telling import tell
from webapp.core.runtime import Runtime
from webapp.lib.database import db_time
from webapp.models import Breaker, Connection, Incident

#: So many connections in a vendor's trouble at one time are the vendor's matter.
MANY = 3
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class _Due:
    id: UUID
    connection_id: UUID | None
    client_key: str
    #: untold, going on, and the vendor's doing
    of_vendor: bool


def look(runtime: Runtime) -> None:
    """One round over what is due. Any number of rounds may run at once."""
    with runtime.database.read() as session:
        due = _due(session)
        crowded = {
            key for key in {one.client_key for one in due if one.of_vendor} if _is_crowded(session, key)
        }
    for client_key in sorted(crowded):
        with runtime.database.write() as session:
            _tell_admins(session, client_key)
            _put_off(session, client_key)
    for one in due:
        if one.of_vendor and one.client_key in crowded:
            continue
        with runtime.database.write() as session:
            if one.connection_id is None:
                _look_at_client(session, one.id)
            else:
                _look_at_connection(session, one.id, one.connection_id)


def _due(session: Session) -> list[_Due]:
    of_vendor = Incident.of_vendor & Incident.told_at.is_(None) & Incident.over_at.is_(None)
    query = select(Incident.id, Incident.connection_id, Incident.client_key, of_vendor)
    query = query.where(Incident.due_at <= db_time()).order_by(Incident.due_at).limit(_MOST)
    return [_Due(*row) for row in session.execute(query)]


def _look_at_connection(session: Session, incident_id: UUID, connection_id: UUID) -> None:
    connection = session.get(Connection, connection_id, with_for_update=True)
    incident = _still_due(session, incident_id)
    if connection is None or incident is None:
        return
    if incident.over_at is not None:
        finish(session, incident, connection)
    elif incident.told_at is None:
        tell(
            session,
            dedupe_key=f"degraded:{incident.id}",
            kind="connection.degraded",
            text=f"{connection.label} at {connection.provider} works, but needs a look: {incident.reason} "
            "You hear of it again only when it gets worse.",
            user_id=connection.user_id,
            connection_id=connection.id,
        )


def _look_at_client(session: Session, incident_id: UUID) -> None:
    incident = _still_due(session, incident_id)
    if incident is None:
        return
    now = now_of(session)
    if _stands(session, incident.client_key) or _is_crowded(session, incident.client_key):
        incident.over_at = None
    elif incident.over_at is None:
        incident.over_at = now
    else:
        _tell_over(session, incident)
        close(session, incident)
        return
    incident.due_at = now + CALM


def _tell_admins(session: Session, client_key: str) -> None:
    count = _count(session, client_key)
    sample = session.scalars(
        select(Incident.reason).where(*_of_vendor(client_key)).order_by(Incident.began_at.desc()).limit(1)
    ).one_or_none()
    incident = client_troubled(session, client_key, sample or "no usable answer")
    if incident.told_at is not None:
        return
    incident.told_at = now_of(session)
    tell(
        session,
        dedupe_key=f"vendor:{incident.id}",
        kind="vendor.incident",
        text=f"{incident.provider} gives {count} connections no usable answer: {incident.reason} Everything "
        "is tried again by itself, events wait here, and no connection is blamed. Their owners are not told "
        "one by one while this lasts.",
        about={"provider": incident.provider, "reason": incident.reason, "connections": count},
    )


def _tell_over(session: Session, incident: Incident) -> None:
    if incident.told_at is None:
        return
    tell(
        session,
        dedupe_key=f"vendor-over:{incident.id}",
        kind="vendor.recovered",
        text=f"{incident.provider} works again. The trouble began {incident.began_at:%d %B %Y, %H:%M} UTC: "
        f"{incident.reason}",
        about={"provider": incident.provider, "reason": incident.reason},
    )


def _put_off(session: Session, client_key: str) -> None:
    """What the vendor's incident explains is looked at later."""
    due = select(Incident.id).where(*_of_vendor(client_key), Incident.told_at.is_(None))
    due = due.where(Incident.due_at <= db_time()).with_for_update(skip_locked=True)
    later = update(Incident).where(Incident.id.in_(due)).values(due_at=db_time(CALM.total_seconds()))
    session.execute(later.execution_options(synchronize_session=False))


def _still_due(session: Session, incident_id: UUID) -> Incident | None:
    due = Incident.due_at <= db_time()
    query = select(Incident).where(Incident.id == incident_id, Incident.closed_at.is_(None), due)
    return session.scalars(query.with_for_update(skip_locked=True)).one_or_none()


def _is_crowded(session: Session, client_key: str) -> bool:
    return _count(session, client_key) >= MANY


def _count(session: Session, client_key: str) -> int:
    return session.execute(select(func.count()).where(*_of_vendor(client_key))).scalar_one()


def _of_vendor(client_key: str) -> tuple[Any, ...]:
    return (
        Incident.client_key == client_key,
        Incident.connection_id.is_not(None),
        Incident.of_vendor.is_(True),
        Incident.over_at.is_(None),
        Incident.closed_at.is_(None),
    )


def _stands(session: Session, client_key: str) -> bool:
    """Whether our own Client is refused, or asked to slow down, to this moment."""
    standing = select(Breaker.key).where(Breaker.scope == "client", Breaker.key == client_key)
    return session.scalar(standing) is not None
