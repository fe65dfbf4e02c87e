"""Notices: what a person is to be told, once."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from webapp.core import audit
from webapp.errors import NotFound
from webapp.lib import clock
from webapp.lib.ids import uuid7
from webapp.models import Notice

_TEXT_CHARACTERS = 1000


def tell(
    session: Session,
    *,
    dedupe_key: str,
    kind: str,
    text: str,
    user_id: UUID | None = None,
    connection_id: UUID | None = None,
) -> bool:
    """Tell `user_id` (None: all admins) this, unless `dedupe_key` was told before; whether it is new.

    `text` is a few sentences without secrets: what happened, what is safe, what to do. One about a connection
    leaves a line on its timeline too.
    """
    if session.scalar(select(Notice.id).where(Notice.dedupe_key == dedupe_key)) is not None:
        return False
    values = {
        "id": uuid7(),
        "dedupe_key": dedupe_key,
        "kind": kind,
        "text": text[:_TEXT_CHARACTERS],
        "user_id": user_id,
        "connection_id": connection_id,
    }
    # Two workers may find the same thing wrong at once: the unique key decides who tells.
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    told = dialect.insert(Notice).values(values).on_conflict_do_nothing().returning(Notice.id)
    if session.execute(told).one_or_none() is None:
        return False
    if connection_id is not None:
        to_whom = "told all admins" if user_id is None else "told its owner"
        audit.record(
            session,
            audit.HITCHPOST,
            audit.Act.TOLD,
            f"connection:{connection_id}",
            connection_id=connection_id,
            detail=f"{to_whom}: {text}",
        )
    return True


def put_away(session: Session, notice_id: UUID, user_id: UUID, *, is_admin: bool) -> None:
    """Its reader is done with it: whom it is for, or any admin. Raises NotFound for everybody else."""
    notice = session.get(Notice, notice_id)
    if notice is None or (notice.user_id != user_id if notice.user_id else not is_admin):
        raise NotFound
    notice.read_at = notice.read_at or clock.now()
