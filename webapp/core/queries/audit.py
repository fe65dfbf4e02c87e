"""The audit lines of the whole instance, newest first."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
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


def list_audit(
    session: Session,
    *,
    act: str = "",
    thing: str = "",
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> Page[AuditRow]:
    """One page in two statements; `act` is one value of Act, `thing` one `kind:id` (a connection's too)."""
    limit = bounded(limit)
    chosen = narrowed(act, thing)
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


def narrowed(act: str, thing: str) -> Select[AuditLine]:
    """The lines of one act, and by or about one thing; an empty word narrows nothing."""
    chosen = select(AuditLine)
    if act:
        chosen = chosen.where(AuditLine.act == act)
    if thing:
        chosen = chosen.where((AuditLine.object == thing) | (AuditLine.actor == thing))
    return chosen
