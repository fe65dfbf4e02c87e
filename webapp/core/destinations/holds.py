"""Holds: a destination stands still, its cursor where it is, until it is released.

A hold does not break in on a request that is under way: its holder settles what the answer says and then
stops.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import case, update
from sqlalchemy.orm import Session

from webapp.core.audit import HITCHPOST, Act, Actor
from webapp.core.destinations import rows
from webapp.core.streams.leases import LEASE_SECONDS
from webapp.lib.database import db_time
from webapp.models import Connection, Destination, Hold

#: why a destination is paused that nobody paused by itself: a resume of the connection releases it
BY_CONNECTION = "Its connection is paused."


def hold(
    session: Session, destination_id: UUID, hold: Hold, reason: str, *, actor: Actor = HITCHPOST
) -> None:
    """Stand still, for `reason`, one sentence; a hold that is there stays. Raises NotFound, Conflict."""
    destination, _, _ = rows.lock(session, destination_id)
    if destination.hold is None:
        _hold(session, destination, hold, reason)
        detail = f"{destination.kind} held, {hold.value}: {reason}"
        rows.record(session, actor, Act.DESTINATION_HELD, destination, detail)


def release(session: Session, actor: Actor, destination_id: UUID) -> None:
    """Go on from where it stood. Ring delivery afterwards. Raises NotFound, Conflict when it is closed.

    Under a paused connection it stays paused, until that is resumed.
    """
    destination, _, connection = rows.lock(session, destination_id)
    if destination.hold is None:
        return
    _release(session, destination, connection)
    detail = f"{destination.kind} released"
    rows.record(session, actor, Act.DESTINATION_RELEASED, destination, detail)


def hold_for_connection(session: Session, connection_id: UUID) -> None:
    """Pause whatever of a connection is not held already."""
    for destination in rows.of_connection(session, connection_id):
        if destination.hold is None:
            _hold(session, destination, Hold.PAUSED, BY_CONNECTION)


def release_for_connection(session: Session, connection_id: UUID) -> None:
    """Release what `hold_for_connection` paused, and nothing else."""
    for destination in rows.of_connection(session, connection_id):
        if destination.hold is Hold.PAUSED and destination.reason == BY_CONNECTION:
            _go_on(session, destination.id)


def release_refused(session: Session, actor: Actor, connection_id: UUID, kinds: Collection[str]) -> None:
    """Release those of `kinds` whose key was refused: what they send with is new."""
    for destination in rows.of_connection(session, connection_id):
        if destination.hold is Hold.KEY_REFUSED and destination.kind in kinds:
            release(session, actor, destination.id)


def close_for_connection(session: Session, connection_id: UUID) -> None:
    """End every destination of a connection; the rows stay for the record."""
    for destination in rows.of_connection(session, connection_id):
        _hold(session, destination, Hold.DISCONNECTED, "Its connection has ended.")
        session.execute(
            update(Destination).where(Destination.id == destination.id).values(closed_at=db_time())
        )


def _hold(session: Session, destination: Destination, hold: Hold, reason: str) -> None:
    # The lease token stays: a request may be under way, and its answer must not be lost.
    session.execute(
        update(Destination)
        .where(Destination.id == destination.id)
        .values(hold=hold, held_at=db_time(), reason=reason, due_at=None)
    )


def _release(session: Session, destination: Destination, connection: Connection) -> None:
    if rows.is_paused(connection):
        _hold(session, destination, Hold.PAUSED, BY_CONNECTION)
    else:
        _go_on(session, destination.id)


def _go_on(session: Session, destination_id: UUID) -> None:
    # Whoever still holds the lease has until its end: two requests at once would break the order.
    due = case((Destination.lease_token.is_(None), db_time()), else_=db_time(LEASE_SECONDS))
    session.execute(
        update(Destination)
        .where(Destination.id == destination_id)
        .values(
            hold=None,
            held_at=None,
            reason=None,
            due_at=due,
            failures=0,
            failing_since=None,
            batch_limit=None,
        )
    )
