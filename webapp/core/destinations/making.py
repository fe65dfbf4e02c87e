"""Making a destination, and changing what it wants."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core.audit import Act, Actor
from webapp.core.destinations import rows
from webapp.core.destinations.holds import BY_CONNECTION
from webapp.core.destinations.settings import check
from webapp.core.runtime import Runtime
from webapp.core.streams import rows as streams
from webapp.errors import Conflict, NotFound
from webapp.models import ConnectionState, Destination, Environment, Hold
from webapp.providers.receiving import DestinationKind, Receives
from webapp.providers.registry import kind_named


def kinds_for(runtime: Runtime, environment: Environment) -> tuple[DestinationKind, ...]:
    """What can be sent to an environment."""
    with runtime.database.read() as session:
        name = rows.connection_of(session, environment.id).provider
    provider = runtime.providers.get(name)
    if isinstance(provider, Receives):
        return provider.kinds
    return ()


def create(
    session: Session,
    actor: Actor,
    environment_id: UUID,
    kind: str,
    settings: Mapping[str, Any],
    *,
    backfill: bool = False,
) -> Destination:
    """Forward the owner's stream to an environment: from now on, or by `backfill` all that is kept.

    Ring delivery afterwards. Raises NotFound, Invalid (a Fault per setting), Conflict when there is one of
    that kind already or the connection ended.
    """
    checked = check(_kind(kind), settings)
    owner = rows.connection_of(session, environment_id)
    stream_id = streams.ensure(session, owner.user_id)
    head = streams.lock(session.connection(), [stream_id])[stream_id]
    connection = rows.connection_of(session, environment_id)  # a disconnect holds the same lock
    if connection.state is ConnectionState.DISCONNECTED:
        raise Conflict("This connection has ended; connect again first.")
    same = (Destination.environment_id == environment_id, Destination.kind == kind)
    if session.scalar(select(Destination.id).where(*same)) is not None:
        raise Conflict("This environment receives these events already: change the destination there.")
    destination = _begin(stream_id, head, backfill=backfill)
    destination.environment_id, destination.kind, destination.settings = environment_id, kind, checked
    if rows.is_paused(connection):
        destination.hold, destination.reason = Hold.PAUSED, BY_CONNECTION
        destination.held_at, destination.due_at = head.now, None
    session.add(destination)
    session.flush()
    told = _told(kind, checked)
    if backfill:
        told += f", beginning with {head.seq - destination.origin_seq:,} events that are kept"
    rows.record(session, actor, Act.DESTINATION_MADE, destination, told)
    return destination


def change_settings(
    session: Session, actor: Actor, destination_id: UUID, settings: Mapping[str, Any]
) -> Destination:
    """Change its settings; the next request goes out with them, at once if it was failing.

    Ring delivery afterwards. Raises NotFound, Invalid (a Fault per setting), Conflict when its connection
    ended.
    """
    destination, stream, _ = rows.lock(session, destination_id)
    checked = check(_kind(destination.kind), settings)
    if checked == destination.settings:
        return destination
    destination.settings = checked
    destination.settings_version += 1
    destination.failures, destination.failing_since, destination.batch_limit = 0, None, None
    if destination.hold is Hold.FAILING:
        destination.hold = destination.held_at = None
    if destination.hold is None:
        destination.reason = None
        # A holder's clock is left alone: it asks for a try at once when it sees the new version.
        if destination.lease_token is None:
            destination.due_at = stream.now
    told = _told(destination.kind, checked)
    rows.record(session, actor, Act.DESTINATION_CHANGED, destination, told)
    return destination


def _begin(stream_id: UUID, head: streams.Head, *, backfill: bool) -> Destination:
    origin = head.tail_seq - 1 if backfill else head.seq
    return Destination(
        stream_id=stream_id,
        cursor_seq=origin,
        origin_seq=origin,
        exempt_seq=head.seq if backfill else 0,
        due_at=head.now if origin < head.seq else None,
    )


def _kind(name: str) -> DestinationKind:
    kind = kind_named(name)
    if kind is None:
        raise NotFound("There is no such kind of destination.")
    return kind


def _told(kind: str, settings: Mapping[str, Any]) -> str:
    parts = (f"{name}: {_word(value)}" for name, value in settings.items() if value not in ("", None))
    return f"{kind} ({', '.join(parts)})"


def _word(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)
