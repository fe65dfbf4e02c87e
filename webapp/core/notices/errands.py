"""Errands: made in the transaction of what they tell of, one for each way and receiver."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from webapp.core.notices.kinds import DIGEST, News, kind_of
from webapp.lib import clock
from webapp.lib.database import db_time
from webapp.lib.ids import uuid7
from webapp.models import Connection, Errand, ErrandState, Incident, Notice, Role, User, Way

#: An admin gets at most one mail an hour about what owners were told.
DIGEST_SPAN = timedelta(hours=1)


def insert_once(session: Session, table: type[Notice | Errand | Incident]) -> Insert:
    """An INSERT that leaves what is there alone: of two workers at once, the unique key lets one through."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    insert: Insert = dialect.insert(table).on_conflict_do_nothing()
    return insert


def make_for(session: Session, notice: Notice, about: Mapping[str, Any]) -> None:
    """Every way out of a new notice; `about` is what the webhook says of a thing that is no connection."""
    connection = session.get(Connection, notice.connection_id) if notice.connection_id else None
    if notice.user_id is None:
        for admin_id in admins(session):
            _mail(session, notice, admin_id)
    else:
        _mail_to_owner(session, notice, notice.user_id)
    news = kind_of(notice.kind).news
    if news is not None:
        told = {**(_data_of(session, connection) if connection else {}), **about, "text": notice.text}
        _webhook(session, news, f"notice:{notice.id}", told, notice=notice, connection=connection)


def announce(session: Session, news: News, connection: Connection, **about: str) -> None:
    """Tell the host app alone; `about` is what it says beside the usual."""
    told = {**_data_of(session, connection), **about}
    _webhook(session, news, f"news:{uuid7()}", told, connection=connection)


def withdraw_mails(session: Session, notice_ids: Sequence[UUID]) -> None:
    """What these notices tell of is over: a mail that has not left yet stays."""
    session.execute(
        update(Errand)
        .where(
            Errand.notice_id.in_(notice_ids),
            Errand.way == Way.MAIL,
            Errand.state == ErrandState.WAITING,
            Errand.lease.is_(None),
        )
        .values(state=ErrandState.WITHDRAWN, due_at=None, settled_at=db_time())
        .execution_options(synchronize_session=False)
    )


def _mail_to_owner(session: Session, notice: Notice, owner_id: UUID) -> None:
    owner = session.get(User, owner_id)
    if owner is not None and owner.email is not None and owner.disabled_at is None:
        _mail(session, notice, owner.id)
    for admin_id in admins(session):
        if admin_id != owner_id:
            _sum_up(session, admin_id)


def _mail(session: Session, notice: Notice, user_id: UUID) -> None:
    _make(
        session,
        way=Way.MAIL,
        dedupe_key=f"mail:{notice.id}:{user_id}",
        kind=notice.kind,
        notice_id=notice.id,
        user_id=user_id,
        connection_id=notice.connection_id,
    )


def _sum_up(session: Session, admin_id: UUID) -> None:
    """The admin's mail about this hour: it leaves when the hour is over, a minute later for late commits."""
    begun = span_of(clock.now())
    _make(
        session,
        way=Way.MAIL,
        dedupe_key=f"digest:{admin_id}:{begun:%Y-%m-%dT%H}",
        kind=DIGEST,
        user_id=admin_id,
        data={"since": begun.isoformat()},
        due_at=begun + DIGEST_SPAN + timedelta(minutes=1),
    )


def span_of(moment: datetime) -> datetime:
    """When the hour of `moment` began."""
    return moment.replace(minute=0, second=0, microsecond=0)


def _webhook(
    session: Session,
    news: News,
    once: str,
    told: dict[str, Any],
    *,
    notice: Notice | None = None,
    connection: Connection | None = None,
) -> None:
    _make(
        session,
        way=Way.WEBHOOK,
        dedupe_key=f"webhook:{once}",
        kind=news.value,
        notice_id=notice.id if notice else None,
        connection_id=connection.id if connection else None,
        data=told,
    )


def _make(session: Session, *, due_at: datetime | None = None, **values: Any) -> None:
    row = {"data": {}, **values, "due_at": db_time() if due_at is None else due_at}
    session.execute(insert_once(session, Errand).values(id=uuid7(), **row))


def admins(session: Session) -> list[UUID]:
    chosen = select(User.id).where(
        User.role == Role.ADMIN, User.disabled_at.is_(None), User.email.is_not(None)
    )
    return list(session.scalars(chosen.order_by(User.id)))


def _data_of(session: Session, connection: Connection) -> dict[str, Any]:
    """What a webhook says of a connection; its link is added when it is sent."""
    owner = session.get(User, connection.user_id)
    return {
        "connection": str(connection.id),
        "provider": connection.provider,
        "account": connection.label,
        "state": connection.state.value,
        "user": str(connection.user_id),
        "external_id": owner.external_id if owner else None,
        "reason": connection.reason,
    }
