"""An intent: Connect was pressed here, and for ten minutes a code may come back to this session."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core import audit
from webapp.core.audit import Act, Actor
from webapp.core.connections import moment_of
from webapp.core.installs.endings import Ending
from webapp.core.installs.ends import finish
from webapp.errors import Conflict, NotFound
from webapp.lib.database import db_time
from webapp.lib.ids import uuid7
from webapp.models import Connection, ConnectionState, Install, InstallState, UserSession
from webapp.providers.base import Installs, Provider

INTENT_LIFE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An open intent, and the vendor's page where the person goes now."""

    install_id: UUID
    #: may hold a state: never logged
    address: str = field(repr=False)
    #: a page of ours leads there, since nobody can say beforehand which addresses it will redirect to
    leaves_by_page: bool = False


def begin(
    session: Session, user_session: UserSession, provider: Provider, *, connection_id: UUID | None = None
) -> Begun:
    """Open an intent for this session; an older one of it ends. `connection_id` makes it a reconnect.

    Raises Conflict when the provider does not connect this way, NotFound for a connection that is not theirs.
    """
    if not isinstance(provider, Installs):
        raise Conflict("this vendor is not connected by an install")
    install = open_an_intent(
        session, user_session, provider.name, provider.client().key, connection_id=connection_id
    )
    return Begun(install_id=install.id, address=provider.install_url())


def open_an_intent(
    session: Session,
    user_session: UserSession,
    provider_name: str,
    client_key: str,
    *,
    connection_id: UUID | None,
) -> Install:
    """The intent alone; an older one of this session ends. Raises Conflict and NotFound as `begin`."""
    if session.get(UserSession, user_session.id, with_for_update=True) is None:
        raise NotFound  # locked, so that a double click makes one intent; signed out meanwhile, it is gone
    if connection_id is not None:
        check_reconnect(session, user_session, provider_name, connection_id)
    if (older := _intent(session, user_session.id)) is not None:
        finish(session, older, InstallState.SUPERSEDED, Ending.BEGUN_AGAIN)
        session.flush()
    install = Install(
        id=uuid7(),
        state=InstallState.INTENT,
        provider=provider_name,
        client_key=client_key,
        user_id=user_session.user_id,
        session_id=user_session.id,
        connection_id=connection_id,
        expires_at=moment_of(session) + INTENT_LIFE,
    )
    session.add(install)
    audit.record(
        session,
        Actor.user(user_session.user_id),
        Act.INSTALL_BEGUN,
        f"install:{install.id}",
        connection_id=connection_id,
    )
    return install


def open_intent(session: Session, user_session: UserSession) -> Install | None:
    """The intent that this session waits an answer to, if any."""
    return _intent(session, user_session.id)


def take_intent(session: Session, session_id: UUID, provider: str) -> Install | None:
    """The session's open intent at that provider, locked, for the code that has come."""
    query = select(Install).where(
        Install.session_id == session_id,
        Install.provider == provider,
        Install.state == InstallState.INTENT,
        Install.expires_at > db_time(),
    )
    return session.scalars(query.with_for_update()).one_or_none()


def _intent(session: Session, session_id: UUID) -> Install | None:
    query = select(Install).where(Install.session_id == session_id, Install.state == InstallState.INTENT)
    return session.scalars(query.with_for_update()).one_or_none()


def check_reconnect(
    session: Session, user_session: UserSession, provider_name: str, connection_id: UUID
) -> None:
    """Raises NotFound for a connection that is not theirs, Conflict when it cannot be renewed there."""
    connection = session.get(Connection, connection_id)
    if connection is None or connection.user_id != user_session.user_id:
        raise NotFound
    if connection.provider != provider_name:
        raise Conflict("this connection is to another vendor")
    if connection.state is ConnectionState.DISCONNECTED:
        raise Conflict("this connection is disconnected: connect anew")
