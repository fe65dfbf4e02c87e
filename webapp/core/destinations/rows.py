"""Destinations as rows: found, and locked in the one order."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core import audit
from webapp.core.audit import Act, Actor
from webapp.core.streams import rows as streams
from webapp.errors import Conflict, NotFound
from webapp.models import Account, Connection, ConnectionState, Destination, Environment


class Locked(NamedTuple):
    """A destination under its lock, its stream's head, and the connection it hangs from."""

    destination: Destination
    stream: streams.Head
    connection: Connection


def lock(session: Session, destination_id: UUID) -> Locked:
    """Lock one. Raises NotFound, Conflict when its connection ended."""
    stream_id = session.scalar(select(Destination.stream_id).where(Destination.id == destination_id))
    if stream_id is None:
        raise NotFound("There is no such destination.")
    head = streams.lock(session.connection(), [stream_id])[stream_id]
    # Read again under the lock: whatever this session knew of the row may be old.
    destination = session.get_one(Destination, destination_id, with_for_update=True, populate_existing=True)
    if destination.closed_at is not None:
        raise Conflict("The connection of this destination has ended; connect again first.")
    return Locked(destination, head, connection_of(session, destination.environment_id))


def of_connection(session: Session, connection_id: UUID) -> Sequence[Destination]:
    """Those of a connection that are not closed, locked."""
    query = (
        select(Destination)
        .join(Environment, Environment.id == Destination.environment_id)
        .join(Account, Account.id == Environment.account_id)
        .where(Account.connection_id == connection_id, Destination.closed_at.is_(None))
        .order_by(Destination.id)
    )
    streams.lock(session.connection(), {row.stream_id for row in session.scalars(query)})
    return session.scalars(
        query.with_for_update(of=Destination).execution_options(populate_existing=True)
    ).all()


def connection_of(session: Session, environment_id: UUID) -> Connection:
    """The connection an environment hangs from. Raises NotFound."""
    query = (
        select(Connection)
        .join(Account, Account.connection_id == Connection.id)
        .join(Environment, Environment.account_id == Account.id)
        .where(Environment.id == environment_id)
        .execution_options(populate_existing=True)
    )
    connection = session.scalars(query).one_or_none()
    if connection is None:
        raise NotFound("There is no such environment.")
    return connection


def is_paused(connection: Connection) -> bool:
    """Whether everything of this connection is to stand still."""
    return connection.state is ConnectionState.PAUSED


def record(session: Session, actor: Actor, act: Act, destination: Destination, detail: str) -> None:
    """A line about a destination on its connection's timeline."""
    connection = connection_of(session, destination.environment_id)
    thing = f"destination:{destination.id}"
    audit.record(session, actor, act, thing, connection_id=connection.id, detail=detail)
