"""Who carries an errand now, and what its answer changes: a lease in its row, settled by compare-and-set."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from webapp.core import audit
from webapp.core.notices.incidents import now_of
from webapp.core.notices.kinds import names_where
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, NotFound
from webapp.lib.backoff import full_jitter
from webapp.lib.database import db_time
from webapp.models import Connection, Errand, ErrandState, Incident, Way

#: Several times the deadline of a call: only a holder that stood still loses its lease.
LEASE_SECONDS = 60.0
#: An errand is tried for so long from its first try, and then given up.
TRIED_FOR = timedelta(days=3)
_BASE_WAIT, _CAP_WAIT = 30.0, 6 * 3600.0
_VENDOR_WAIT = 600.0
_KEPT = timedelta(days=30)
_WORDS_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one try."""

    sent: bool = False
    #: the receiver will never take it
    final: bool = False
    #: a status of HTTP or a reply code of SMTP
    status: int | None = None
    words: str = ""
    #: seconds
    retry_after: float | None = None
    #: nobody was reached: what else goes this way need not be tried at once
    way_is_blocked: bool = False


def take_due(runtime: Runtime, *, without: Collection[Way] = ()) -> Errand | None:
    """Lease the errand that has been due the longest; None when none is. `without` leaves ways out."""
    due = select(Errand.id).where(Errand.due_at <= db_time(), Errand.way.not_in(without))
    with runtime.database.read() as session:
        if session.scalar(due.limit(1)) is None:
            return None
    # As a scalar: behind IN, PostgreSQL may run it once a row, each time with another row unlocked.
    due = due.order_by(Errand.due_at).limit(1).with_for_update(skip_locked=True)
    lease = (
        update(Errand)
        .where(Errand.id == due.scalar_subquery())
        .values(
            lease=uuid4(),
            due_at=db_time(LEASE_SECONDS),
            tries=Errand.tries + 1,
            first_tried_at=func.coalesce(Errand.first_tried_at, db_time()),
        )
        .returning(Errand)
        .execution_options(synchronize_session=False)
    )
    with runtime.database.write() as session:
        return session.scalars(lease).one_or_none()


def settle(runtime: Runtime, errand: Errand, answer: Answer) -> bool:
    """Write what `answer` means, if the lease still holds; whether it did."""
    with runtime.database.write() as session:
        held = session.get(Errand, errand.id, with_for_update=True)
        if held is None or held.lease != errand.lease:
            return False
        held.lease = None
        held.status, held.answer = answer.status, answer.words[:_WORDS_CHARACTERS] or None
        now = now_of(session)
        tried_since = held.first_tried_at or now
        if answer.sent:
            _end(session, held, ErrandState.SENT)
        elif answer.final or now - tried_since >= TRIED_FOR:
            _end(session, held, ErrandState.GIVEN_UP)
        else:
            held.due_at = min(now + _wait(held, answer), tried_since + TRIED_FOR)
    return True


def retry_now(session: Session, actor: audit.Actor, errand_id: UUID) -> None:
    """Try it again now, for three days from now if need be. Raises NotFound, Conflict when it was sent."""
    errand = session.get(Errand, errand_id, with_for_update=True)
    if errand is None:
        raise NotFound
    if errand.state is ErrandState.SENT:
        raise Conflict("this was sent already")
    if errand.lease is not None and errand.due_at is not None and errand.due_at > now_of(session):
        raise Conflict("this is being sent at this moment")
    errand.state, errand.settled_at, errand.first_tried_at = ErrandState.WAITING, None, None
    errand.due_at, errand.lease = now_of(session), None
    audit.record(session, actor, audit.Act.ERRAND_RETRIED, f"errand:{errand.id}", detail=errand.kind)


def any_due(session: Session) -> bool:
    """Whether anything waits to leave."""
    return session.scalar(select(Errand.id).where(Errand.due_at <= db_time()).limit(1)) is not None


def set_aside(session: Session, ways: Collection[Way]) -> None:
    """What would go a way that is not set up is settled as such."""
    session.execute(
        update(Errand)
        .where(Errand.due_at <= db_time(), Errand.way.in_(ways), Errand.state == ErrandState.WAITING)
        .values(state=ErrandState.NOT_SET_UP, due_at=None, lease=None, settled_at=db_time())
        .execution_options(synchronize_session=False)
    )


def give_up_old(session: Session, way: Way) -> None:
    """What waited for three days for a way to open is given up."""
    session.execute(
        update(Errand)
        .where(
            Errand.due_at <= db_time(),
            Errand.way == way,
            Errand.created_at <= db_time(-TRIED_FOR.total_seconds()),
        )
        .values(state=ErrandState.GIVEN_UP, due_at=None, lease=None, settled_at=db_time())
        .execution_options(synchronize_session=False)
    )


def forget(session: Session) -> None:
    """Delete errands that were settled, and incidents that were closed, a month ago."""
    long_ago = db_time(-_KEPT.total_seconds())
    session.execute(delete(Errand).where(Errand.settled_at < long_ago))
    session.execute(delete(Incident).where(Incident.closed_at < long_ago))


def hold_back(session: Session) -> None:
    """Mails that a vendor's own trouble explains wait until that is over."""
    open_keys = select(Incident.client_key).where(
        Incident.connection_id.is_(None), Incident.told_at.is_not(None), Incident.closed_at.is_(None)
    )
    if session.scalar(open_keys.limit(1)) is None:
        return
    explained = select(Connection.id).where(Connection.client_key.in_(open_keys))
    session.execute(
        update(Errand)
        .where(
            Errand.due_at <= db_time(),
            Errand.lease.is_(None),
            Errand.way == Way.MAIL,
            Errand.kind.in_(names_where(waits_for_vendor=True)),
            Errand.connection_id.in_(explained),
        )
        .values(due_at=db_time(_VENDOR_WAIT))
        .execution_options(synchronize_session=False)
    )


def _wait(errand: Errand, answer: Answer) -> timedelta:
    wait = full_jitter(errand.tries, base=_BASE_WAIT, cap=_CAP_WAIT)
    return timedelta(seconds=max(wait, answer.retry_after or 0.0))


def _end(session: Session, errand: Errand, state: ErrandState) -> None:
    errand.state, errand.due_at, errand.settled_at = state, None, now_of(session)
    if errand.connection_id is None:
        return
    whom = "the host app by webhook" if errand.way is Way.WEBHOOK else "somebody by mail"
    if errand.way is Way.MAIL and errand.user_id is not None:
        owner = session.get(Connection, errand.connection_id)
        whom = "its owner by mail" if owner and owner.user_id == errand.user_id else "an admin by mail"
    done = (
        f"{errand.kind} told to {whom}"
        if state is ErrandState.SENT
        else (f"{errand.kind} could not be told to {whom}: {errand.answer or 'no answer'}")
    )
    thing = f"connection:{errand.connection_id}"
    audit.record(
        session, audit.HITCHPOST, audit.Act.TOLD, thing, connection_id=errand.connection_id, detail=done
    )
