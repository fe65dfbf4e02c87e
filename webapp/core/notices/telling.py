"""Telling: a notice is written once, with its errands, in the transaction of what it tells of."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core import audit
from webapp.core.notices import errands, incidents
from webapp.core.notices.kinds import kind_of
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
    about: Mapping[str, Any] | None = None,
) -> bool:
    """Tell `user_id` (None: all admins) this, unless `dedupe_key` was told before; whether it is new.

    `text` is a few sentences without secrets: what happened, what is safe, what to do. One about a connection
    leaves a line on its timeline too. `about` is what a webhook says of a thing that is no connection.
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
    # What the caller changed is what the errands are to say.
    session.flush()
    told = errands.insert_once(session, Notice).values(values).returning(Notice)
    notice = session.scalars(told).one_or_none()
    if notice is None:
        return False
    errands.make_for(session, notice, about or {})
    if connection_id is not None:
        if kind_of(kind).of_trouble:
            incidents.told(session, connection_id)
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


def tell_client_refused(session: Session, client_key: str, text: str, *, since: datetime) -> None:
    """Tell all admins that the vendor refuses our own Client; once for a refusal that began at `since`."""
    incident = incidents.client_troubled(session, client_key, text)
    incident.told_at = incident.told_at or incidents.now_of(session)
    tell(
        session,
        dedupe_key=f"client:{client_key}:{since.isoformat()}",
        kind="client_refused",
        text=text,
        about={"provider": incident.provider, "reason": text},
    )


def put_away(session: Session, actor: audit.Actor, notice_id: UUID, user_id: UUID, *, is_admin: bool) -> None:
    """Its reader is done with it: whom it is for, or any admin. Raises NotFound for everybody else."""
    notice = session.get(Notice, notice_id)
    if notice is None or (notice.user_id != user_id if notice.user_id else not is_admin):
        raise NotFound
    if notice.read_at is None:
        notice.read_at = clock.now()
        thing = f"notice:{notice.id}"
        audit.record(session, actor, audit.Act.NOTICE_PUT_AWAY, thing, connection_id=notice.connection_id)
