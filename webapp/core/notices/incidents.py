"""Incidents: a trouble from its beginning to its end, so that a connection that flaps is told of once.

A trouble is told when it has lasted for some minutes, and it is over only when all has been well for some
minutes; what comes back before is the same incident. A vendor's trouble is one incident of its Client.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.core.notices import errands
from webapp.core.notices.kinds import News, names_where
from webapp.lib.database import db_time
from webapp.lib.ids import uuid7
from webapp.models import Connection, ConnectionState, Incident, Notice

#: How long a trouble lasts before it is told.
PATIENCE = timedelta(minutes=10)
#: How long all is well before it is over.
CALM = timedelta(minutes=10)


def follow(session: Session, connection: Connection, *, of_vendor: bool | None = None) -> None:
    """Note what the connection's new state means; the caller has it locked.

    `of_vendor`: the vendor gives no usable answer, so that it may be no matter of this connection alone;
    None: as it was.
    """
    incident = find_open(session, _subject(connection.id))
    match connection.state:
        case ConnectionState.DEGRADED | ConnectionState.NEEDS_RECONNECT:
            _troubled(session, connection, incident, of_vendor=of_vendor)
        case ConnectionState.ACTIVE if incident is not None:
            incident.over_at = now_of(session)
            incident.due_at = incident.over_at + CALM
        case _ if incident is not None:
            close(session, incident)


def moved(session: Session, connection: Connection, news: News, **about: str) -> None:
    """Note what a person's act made of it, and tell the host app, with `about` beside the usual."""
    follow(session, connection)
    errands.announce(session, news, connection, **about)


def reconnected(session: Session, connection: Connection) -> None:
    """Its owner renewed it: if all is well now, nobody waits to see whether it stays so."""
    errands.announce(session, News.RECONNECTED, connection)
    incident = find_open(session, _subject(connection.id))
    if incident is not None and connection.state is ConnectionState.ACTIVE:
        finish(session, incident, connection)


def told(session: Session, connection_id: UUID) -> None:
    """Its owner was just told of the trouble that the connection is in."""
    incident = find_open(session, _subject(connection_id))
    if incident is not None:
        incident.told_at, incident.due_at = now_of(session), None


def client_troubled(session: Session, client_key: str, reason: str) -> Incident:
    """The open incident of that Client, begun now if there is none. Locked."""
    subject = f"client:{client_key}"
    incident = find_open(session, subject)
    if incident is None:
        now = now_of(session)
        begun = errands.insert_once(session, Incident).values(
            id=uuid7(),
            subject=subject,
            client_key=client_key,
            provider=client_key.partition(":")[0],
            began_at=now,
            due_at=now + CALM,
        )
        session.execute(begun)
        incident = find_open(session, subject)
        assert incident is not None  # noqa: S101 - begun just now, by us or by somebody else
    incident.reason = reason
    return incident


def finish(session: Session, incident: Incident, connection: Connection) -> None:
    """It is over: the host app hears it if it heard of the trouble."""
    if incident.told_at is not None:
        errands.announce(session, News.RECOVERED, connection)
    close(session, incident)


def close(session: Session, incident: Incident) -> None:
    """The end: what was told of it is put away, and what was still to be mailed stays here."""
    incident.closed_at, incident.due_at = now_of(session), None
    if incident.connection_id is None:
        return
    stale = select(Notice.id).where(
        Notice.connection_id == incident.connection_id,
        Notice.kind.in_(names_where(of_trouble=True)),
        Notice.read_at.is_(None),
    )
    notice_ids = list(session.scalars(stale))
    if notice_ids:
        session.execute(update(Notice).where(Notice.id.in_(notice_ids)).values(read_at=incident.closed_at))
        errands.withdraw_mails(session, notice_ids)


def find_open(session: Session, subject: str) -> Incident | None:
    """The incident of that subject that is not closed, locked; None when there is none."""
    query = select(Incident).where(Incident.subject == subject, Incident.closed_at.is_(None))
    return session.scalars(query.with_for_update()).one_or_none()


def now_of(session: Session) -> datetime:
    """The database's clock."""
    return session.execute(select(db_time())).scalar_one()


def _troubled(
    session: Session, connection: Connection, incident: Incident | None, *, of_vendor: bool | None
) -> None:
    now = now_of(session)
    if incident is None:
        incident = Incident(
            id=uuid7(),
            subject=_subject(connection.id),
            connection_id=connection.id,
            client_key=connection.client_key,
            provider=connection.provider,
            began_at=now,
            due_at=now + PATIENCE,
            of_vendor=False,
        )
        session.add(incident)
    elif incident.over_at is not None:
        incident.over_at = None
        incident.due_at = None if incident.told_at else max(now, incident.began_at + PATIENCE)
    incident.reason = connection.reason
    if of_vendor is not None:
        incident.of_vendor = of_vendor


def _subject(connection_id: UUID) -> str:
    return f"connection:{connection_id}"
