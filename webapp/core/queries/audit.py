"""The audit lines of the whole instance, newest first."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from webapp.core.queries.paging import PAGE_ROWS, Page, bounded, cut, read_mark
from webapp.core.queries.timeline import actor_names
from webapp.models import AuditLine


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """Who did what to which thing, when."""

    id: int
    at: datetime
    #: a person's name, `API key <prefix>` or `Hitchpost`
    actor: str
    #: a value of core.audit.Act
    act: str
    #: `kind:id`
    thing: str
    #: the same in a person's words, where there are any
    thing_name: str
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which lines; what is empty narrows nothing."""

    #: one value of Act
    act: str = ""
    #: one `kind:id`: lines by or about it, and of a connection whatever happened to what hangs from it
    thing: str = ""
    #: the first and the last day, in UTC
    since: date | None = None
    until: date | None = None


def list_audit(
    session: Session, which: AuditFilter, *, after: str | None = None, limit: int = PAGE_ROWS
) -> Page[AuditRow]:
    """One page in two statements."""
    limit = bounded(limit)
    chosen = narrowed(which)
    if after:
        chosen = chosen.where(AuditLine.id < read_mark(after, [int])[0])
    found = session.execute(chosen.order_by(AuditLine.id.desc()).limit(limit + 1)).scalars().all()
    names = actor_names(session, {line.actor for line in found} | {line.object for line in found})
    rows = [
        AuditRow(
            id=line.id,
            at=line.at,
            actor=names[line.actor],
            act=line.act,
            thing=line.object,
            thing_name=names[line.object],
            detail=line.detail,
        )
        for line in found
    ]
    return cut(rows, limit, lambda row: row.id)


def narrowed(which: AuditFilter) -> Select[AuditLine]:
    """The lines that `which` asks for, in no order."""
    chosen = select(AuditLine)
    if which.act:
        chosen = chosen.where(AuditLine.act == which.act)
    if which.thing:
        chosen = chosen.where(_about(which.thing))
    if which.since is not None:
        chosen = chosen.where(AuditLine.at >= datetime.combine(which.since, time.min, UTC))
    if which.until is not None:
        chosen = chosen.where(AuditLine.at <= datetime.combine(which.until, time.max, UTC))
    return chosen


def _about(thing: str) -> ColumnElement[bool]:
    kind, _, rest = thing.partition(":")
    named = or_(AuditLine.object == thing, AuditLine.actor == thing)
    try:
        return or_(named, AuditLine.connection_id == UUID(rest)) if kind == "connection" else named
    except ValueError:
        return named
