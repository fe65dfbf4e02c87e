"""People and the API keys of host apps, as the admin pages list them."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from webapp.core.queries.paging import PAGE_ROWS, AnySelect, Page, bounded, cut, read_mark
from webapp.models import ApiKey, Connection, ConnectionState, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user, and how many connections of theirs have not ended."""

    user: User
    connections: int

    @property
    def state(self) -> str:
        """`enabled`, `invited` (no password yet), `disabled`, `deleting`, or `external` (the host app's)."""
        if self.user.deleting_at is not None:
            return "deleting"
        if self.user.disabled_at is not None:
            return "disabled"
        if self.user.email is None:
            return "external"
        return "enabled" if self.user.password_hash is not None else "invited"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """An API key without its secret, and the label of the one user it is bound to."""

    key: ApiKey
    bound_to: str | None


def list_people(
    session: Session, *, search: str = "", after: str | None = None, limit: int = PAGE_ROWS
) -> Page[Person]:
    """One page, the newest first; `search` is any part of an e-mail address or external id."""
    limit = bounded(limit)
    living = (
        select(func.count())
        .where(Connection.user_id == User.id, Connection.state != ConnectionState.DISCONNECTED)
        .correlate(User)
        .scalar_subquery()
    )
    query: AnySelect = select(User, living)
    if search:
        part = search.strip().lower()
        query = query.where(
            or_(
                User.email.icontains(part, autoescape=True), User.external_id.icontains(part, autoescape=True)
            )
        )
    if after:
        query = query.where(User.id < read_mark(after, [UUID])[0])
    rows = session.execute(query.order_by(User.id.desc()).limit(limit + 1)).all()
    return cut([Person(user=row[0], connections=row[1]) for row in rows], limit, lambda row: row.user.id)


def list_api_keys(session: Session, *, after: str | None = None, limit: int = PAGE_ROWS) -> Page[KeyRow]:
    """One page, the newest first."""
    limit = bounded(limit)
    query: AnySelect = select(ApiKey, User).outerjoin(User, User.id == ApiKey.user_id)
    if after:
        query = query.where(ApiKey.id < read_mark(after, [UUID])[0])
    rows = session.execute(query.order_by(ApiKey.id.desc()).limit(limit + 1)).all()
    found = [KeyRow(key=row[0], bound_to=row[1].label if row[1] else None) for row in rows]
    return cut(found, limit, lambda row: row.key.id)
