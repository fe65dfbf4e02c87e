"""Taking away what is there of marked users. Any number of sweeps may run at once, and die at any point."""

import time
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, or_, select, update
from sqlalchemy.orm import Session

from webapp.core import audit_chain, connections, restores
from webapp.core.audit import HITCHPOST, Act, record
from webapp.core.deletion.belongings import (
    connections_of,
    destinations_of,
    installs_of,
    names_in_audit,
    objects_in_audit,
)
from webapp.core.runtime import Runtime
from webapp.core.streams import rows
from webapp.errors import Conflict, HitchpostError
from webapp.lib import logs
from webapp.lib.database import db_time
from webapp.models import (
    Attempt,
    Connection,
    ConnectionState,
    DeadLetter,
    DeadLetterState,
    Destination,
    Errand,
    Event,
    Install,
    Notice,
    Revocation,
    Stream,
    User,
)

log = logs.get(__name__)

#: rows that one transaction deletes
_MOST_ROWS = 1_000
#: So long after its end a connection is still known: longer than any call that was under way, so that a grant
#: which comes late is given back, and the news of the end can leave.
LATE = timedelta(seconds=90)


def sweep(runtime: Runtime, *, seconds: float = 5.0) -> None:
    """Go on with every deletion for about so long; what is left over is for the next."""
    if restores.is_held(runtime):
        return
    end = time.monotonic() + seconds
    with runtime.database.read() as session:
        marked = session.scalars(select(User.id).where(User.deleting_at.is_not(None))).all()
    for user_id in marked:
        try:
            while time.monotonic() < end and _step(runtime, user_id):
                pass
        except HitchpostError as error:  # a key of the vault that is missing, say: others go on
            log.warning("a user cannot be deleted yet", user_id=str(user_id), reason=str(error))


def _step(runtime: Runtime, user_id: UUID) -> bool:
    """Take away the next bit; False when nothing is left, or something has to be waited for."""
    with runtime.database.read() as session:
        connection_id = session.scalar(_open_connections(user_id))
    if connection_id is not None:
        _disconnect(runtime, connection_id)
        return True
    with runtime.database.write() as session:
        attempts = Attempt.destination_id.in_(destinations_of(user_id))
        if _delete_events(session, user_id) or _delete(session, Attempt, attempts):
            return True
    with runtime.database.write() as session:
        if _delete_letters(session, user_id):
            return True
    with runtime.database.read() as session:
        if _must_wait(session, user_id):
            return False
    with runtime.database.write() as session:
        return _delete_news(session, user_id) or _finish(session, user_id)


def _open_connections(user_id: UUID) -> Select[UUID]:
    return connections_of(user_id).where(Connection.state != ConnectionState.DISCONNECTED).limit(1)


def _disconnect(runtime: Runtime, connection_id: UUID) -> None:
    try:
        connections.disconnect(runtime, HITCHPOST, connection_id)
    except Conflict:
        return  # somebody else just did


def _delete_events(session: Session, user_id: UUID) -> bool:
    """The oldest events; the tail moves with them, so that the ledger stays exact to the end."""
    stream_id = session.scalar(select(Stream.id).where(Stream.user_id == user_id))
    head = None if stream_id is None else rows.lock(session.connection(), [stream_id]).get(stream_id)
    if head is None or head.tail_seq > head.seq:
        return False
    last = min(head.seq, head.tail_seq + _MOST_ROWS - 1)
    gone = delete(Event).where(Event.stream_id == stream_id, Event.seq <= last)
    session.execute(gone, execution_options={"synchronize_session": False})
    session.execute(update(Stream).where(Stream.id == stream_id).values(tail_seq=last + 1))
    return True


def _delete_letters(session: Session, user_id: UUID) -> bool:
    """Dead letters of one destination, which counts them as given up: its ledger too is exact to the end."""
    theirs = destinations_of(user_id).where(DeadLetter.destination_id == Destination.id)
    destination_id = session.scalar(select(DeadLetter.destination_id).where(theirs.exists()).limit(1))
    if destination_id is None:
        return False
    row = session.get_one(Destination, destination_id, with_for_update=True)
    gone = _delete(session, DeadLetter, DeadLetter.destination_id == destination_id)
    queued = func.count().filter(DeadLetter.state == DeadLetterState.QUEUED)
    row.dead, row.expired = row.dead - gone, row.expired + gone
    row.queued = session.execute(select(queued).where(DeadLetter.destination_id == row.id)).scalar_one()
    return gone > 0


def _delete_news(session: Session, user_id: UUID) -> bool:
    theirs = connections_of(user_id)
    errands = or_(Errand.user_id == user_id, Errand.connection_id.in_(theirs))
    notices = or_(Notice.user_id == user_id, Notice.connection_id.in_(theirs))
    return bool(_delete(session, Errand, errands) or _delete(session, Notice, notices))


def _delete(
    session: Session, table: type[Attempt | DeadLetter | Errand | Notice], which: ColumnElement[bool]
) -> int:
    """Some of these rows, and how many; another sweep that is at the same ones is not waited for."""
    some = select(table.id).where(which).order_by(table.id).limit(_MOST_ROWS)
    gone = delete(table).where(table.id.in_(some.with_for_update(skip_locked=True))).returning(table.id)
    return len(session.execute(gone, execution_options={"synchronize_session": False}).all())


def _must_wait(session: Session, user_id: UUID) -> bool:
    """Whether a vendor is still to confirm a revocation, or may still be answering."""
    kept = select(Revocation.id).where(Revocation.connection_id.in_(connections_of(user_id)))
    late = connections_of(user_id).where(Connection.disconnected_at > db_time(-LATE.total_seconds()))
    return session.scalar(select(kept.exists() | late.exists())) is True


def _finish(session: Session, user_id: UUID) -> bool:
    """The rest, which is little, in one transaction; True when something came in between after all.

    Locks are taken as everywhere: the stream, destinations, connections, then what hangs from them. Nobody
    can add anything once the user's own row is locked, since everything of theirs refers to it.
    """
    stream_ids = session.scalars(select(Stream.id).where(Stream.user_id == user_id)).all()
    heads = rows.lock(session.connection(), stream_ids)
    for table, theirs in (
        (Destination, destinations_of(user_id)),
        (Connection, connections_of(user_id)),
        (Install, installs_of(user_id)),
        (User, select(User.id).where(User.id == user_id)),
    ):
        session.execute(
            select(table.id).where(table.id.in_(theirs)).order_by(table.id).with_for_update()
        ).all()
    if any(head.tail_seq <= head.seq for head in heads.values()):
        return True
    if session.scalar(_open_connections(user_id)) is not None or _must_wait(session, user_id):
        return True
    if session.scalar(select(User.id).where(User.id == user_id)) is None:
        return False
    _delete_news(session, user_id)
    audit_chain.erase(session, HITCHPOST, *_names(session, user_id))
    for gone in (
        delete(Install).where(Install.id.in_(installs_of(user_id))),
        delete(User).where(User.id == user_id),
    ):
        session.execute(gone, execution_options={"synchronize_session": False})
    record(session, HITCHPOST, Act.USER_DELETED, f"user:{user_id}")
    return False


def _names(session: Session, user_id: UUID) -> list[str]:
    """Whatever the audit has lines about that is theirs."""
    names = {f"user:{user_id}", *session.scalars(objects_in_audit(user_id))}
    names |= {f"connection:{one}" for one in session.scalars(connections_of(user_id))}
    for kind, query in names_in_audit(user_id):
        names |= {f"{kind}:{one}" for one in session.scalars(query)}
    return sorted(names)
