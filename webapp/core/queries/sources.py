"""Sources as pages and the API list them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.core.queries.paging import PAGE_ROWS, AnySelect, Page, behind, bounded, cut, read_mark
from webapp.errors import NotFound
from webapp.models import Source, User


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One source; of its secret nothing but how long the one before it is still good."""

    id: UUID
    kind: str
    name: str
    owner_id: UUID
    owner: str
    created_at: datetime
    used_at: datetime | None
    previous_until: datetime | None
    ended_at: datetime | None


def list_sources(
    session: Session, owner_id: UUID | None, *, after: str | None = None, limit: int = PAGE_ROWS
) -> Page[SourceRow]:
    """One page, newest first; `owner_id`: that user's only."""
    limit = bounded(limit)
    chosen = _chosen(owner_id).order_by(Source.id.desc()).limit(limit + 1)
    if after:
        marks = read_mark(after, [UUID])
        chosen = chosen.where(behind([Source.id.expression], marks, descending=True))
    rows = [SourceRow(**found._mapping) for found in session.execute(chosen)]  # noqa: SLF001 - SQLAlchemy's
    return cut(rows, limit, lambda row: row.id)


def find_source(session: Session, owner_id: UUID | None, source_id: UUID) -> SourceRow:
    """One. Raises NotFound when there is none or it is somebody else's."""
    found = session.execute(_chosen(owner_id).where(Source.id == source_id)).one_or_none()
    if found is None:
        raise NotFound("There is no such source.")
    return SourceRow(**found._mapping)  # noqa: SLF001 - SQLAlchemy's


def _chosen(owner_id: UUID | None) -> AnySelect:
    chosen = select(
        Source.id,
        Source.kind,
        Source.name,
        Source.user_id.label("owner_id"),
        func.coalesce(User.email, User.external_id, "").label("owner"),
        Source.created_at,
        Source.used_at,
        Source.previous_until,
        Source.ended_at,
    ).join(User, User.id == Source.user_id)
    return chosen if owner_id is None else chosen.where(Source.user_id == owner_id)
