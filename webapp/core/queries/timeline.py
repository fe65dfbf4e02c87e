"""A connection's timeline: its audit lines, newest first, with people named."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core.queries.paging import PAGE_ROWS, Page, bounded, cut, read_mark
from webapp.models import AuditLine, User


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineLine:
    """Who did what, when."""

    id: int
    at: datetime
    #: a person's name, `API key <prefix>` or `Hitchpost`
    actor: str
    #: a value of core.audit.Act
    act: str
    detail: str | None


def list_timeline(
    session: Session, connection_id: UUID, *, after: str | None = None, limit: int = PAGE_ROWS
) -> Page[TimelineLine]:
    """One page in two statements. Whether the reader may see this connection is for the caller to know."""
    limit = bounded(limit)
    chosen = select(AuditLine).where(AuditLine.connection_id == connection_id)
    if after:
        chosen = chosen.where(AuditLine.id < read_mark(after, [int])[0])
    found = session.execute(chosen.order_by(AuditLine.id.desc()).limit(limit + 1)).scalars().all()
    names = actor_names(session, {line.actor for line in found})
    return cut([_line(line, names) for line in found], limit, lambda line: line.id)


def actor_names(session: Session, actors: Iterable[str]) -> dict[str, str]:
    """What pages call each actor, in one statement."""
    people = {actor: user_id for actor in actors if (user_id := _user_id(actor)) is not None}
    users: dict[UUID, User] = {}
    if people:
        found = session.execute(select(User).where(User.id.in_(people.values()))).scalars()
        users = {user.id: user for user in found}
    return {actor: _name(actor, users.get(people.get(actor, UUID(int=0)))) for actor in actors}


def _line(line: AuditLine, names: dict[str, str]) -> TimelineLine:
    return TimelineLine(id=line.id, at=line.at, actor=names[line.actor], act=line.act, detail=line.detail)


def _user_id(actor: str) -> UUID | None:
    kind, _, rest = actor.partition(":")
    try:
        return UUID(rest) if kind == "user" else None
    except ValueError:
        return None


def _name(actor: str, user: User | None) -> str:
    if user is not None:
        return user.label
    kind, _, rest = actor.partition(":")
    words = {"key": f"API key {rest}", "hitchpost": "Hitchpost", "user": "A former user"}
    return words.get(kind, actor)
