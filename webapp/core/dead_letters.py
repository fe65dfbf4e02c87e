"""Dead letters: sent again, or let go. Either way the ledger's `dead` still counts them."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from webapp.core import audit
from webapp.core.audit import Act, Actor
from webapp.core.runtime import Bell, Runtime
from webapp.core.streams import rows
from webapp.lib.database import db_time
from webapp.models import Account, DeadLetter, DeadLetterState, Destination, Environment

_BATCH_LETTERS = 1_000


def replay(session: Session, actor: Actor, letter_ids: Collection[UUID]) -> int:
    """Queue those that are open for their destination's next turn. Ring delivery afterwards. How many.

    A destination that is held sends them once it is released; one that is closed never, so its letters are
    left.
    """
    changed = 0
    for destination_id in _lock(session, letter_ids):
        count = _move(session, destination_id, letter_ids, DeadLetterState.OPEN, DeadLetterState.QUEUED)
        idle = Destination.hold.is_(None) & Destination.due_at.is_(None)
        due = case((idle, db_time()), else_=Destination.due_at)
        _change(session, destination_id, queued=Destination.queued + count, due_at=due)
        _record(session, actor, Act.DEAD_LETTERS_REPLAYED, destination_id, f"{count} dead letters sent again")
        changed += count
    return changed


def replay_all(session: Session, actor: Actor, destination_id: UUID, *, limit: int = 5_000) -> int:
    """Queue the oldest open ones of a destination; how many."""
    query = (
        select(DeadLetter.id)
        .where(DeadLetter.destination_id == destination_id, DeadLetter.state == DeadLetterState.OPEN)
        .order_by(DeadLetter.seq)
        .limit(limit)
    )
    return replay(session, actor, session.scalars(query).all())


def replay_every(runtime: Runtime, actor: Actor, destination_id: UUID) -> int:
    """Queue all open ones of a destination, some a transaction, each once; how many. Rings delivery."""
    queued, last = 0, UUID(int=0)
    while ids := _open_behind(runtime, destination_id, last):
        with runtime.database.write() as session:
            queued += replay(session, actor, ids)
        runtime.wake(Bell.DELIVERY)
        last = ids[-1]
    return queued


def _open_behind(runtime: Runtime, destination_id: UUID, last: UUID) -> Sequence[UUID]:
    query = (
        select(DeadLetter.id)
        .where(
            DeadLetter.destination_id == destination_id,
            DeadLetter.state == DeadLetterState.OPEN,
            DeadLetter.id > last,
        )
        .order_by(DeadLetter.id)
        .limit(_BATCH_LETTERS)
    )
    with runtime.database.read() as session:
        return session.scalars(query).all()


def discard(session: Session, actor: Actor, letter_ids: Collection[UUID]) -> int:
    """Let those go that are open or queued; how many."""
    changed = 0
    for destination_id in _lock(session, letter_ids):
        queued = _move(session, destination_id, letter_ids, DeadLetterState.QUEUED, DeadLetterState.DISCARDED)
        count = queued + _move(
            session, destination_id, letter_ids, DeadLetterState.OPEN, DeadLetterState.DISCARDED
        )
        _change(session, destination_id, queued=Destination.queued - queued)
        _record(session, actor, Act.DEAD_LETTERS_DISCARDED, destination_id, f"{count} dead letters discarded")
        changed += count
    return changed


def _lock(session: Session, letter_ids: Collection[UUID]) -> list[UUID]:
    """The open destinations of these letters, locked behind their streams."""
    query = (
        select(Destination.id, Destination.stream_id)
        .join(DeadLetter, DeadLetter.destination_id == Destination.id)
        .where(DeadLetter.id.in_(letter_ids), Destination.closed_at.is_(None))
        .distinct()
    )
    found = session.execute(query).all()
    rows.lock(session.connection(), {stream_id for _, stream_id in found})
    ids = sorted(destination_id for destination_id, _ in found)
    lock = select(Destination.id).where(Destination.id.in_(ids)).order_by(Destination.id).with_for_update()
    session.execute(lock)
    return ids


def _move(
    session: Session,
    destination_id: UUID,
    letter_ids: Collection[UUID],
    before: DeadLetterState,
    after: DeadLetterState,
) -> int:
    moved = (
        update(DeadLetter)
        .where(
            DeadLetter.destination_id == destination_id,
            DeadLetter.id.in_(letter_ids),
            DeadLetter.state == before,
        )
        .values(state=after, changed_at=db_time())
    )
    return session.connection().execute(moved).rowcount


def _change(session: Session, destination_id: UUID, **values: object) -> None:
    session.connection().execute(update(Destination).where(Destination.id == destination_id).values(values))


def _record(session: Session, actor: Actor, act: Act, destination_id: UUID, detail: str) -> None:
    query = (
        select(Account.connection_id)
        .join(Environment, Environment.account_id == Account.id)
        .join(Destination, Destination.environment_id == Environment.id)
        .where(Destination.id == destination_id)
    )
    connection_id = session.execute(query).scalar_one()
    thing = f"destination:{destination_id}"
    audit.record(session, actor, act, thing, connection_id=connection_id, detail=detail)
