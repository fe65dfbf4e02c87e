"""Somebody who has something in every table, and what a database holds, row by row."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select, update

from tests.forwarding import ACTOR, Yard
from webapp.core import api_keys, connections, credentials, deletion, links, notices, sessions, sources
from webapp.core.api_keys import Scope
from webapp.core.deletion import sweeping
from webapp.core.installs.begin import open_an_intent
from webapp.core.runtime import Runtime
from webapp.lib import clock
from webapp.lib.ids import uuid7
from webapp.lib.secret import Secret
from webapp.models import (
    Base,
    Connection,
    LinkKind,
    Revocation,
    SessionKind,
    User,
    UserSession,
)

#: what is the instance's and not a user's
OF_THE_INSTANCE = frozenset({"audit_lines", "audit_head", "instance", "breakers", "paces", "processes"})
Rows = dict[str, set[str]]


def settle(yard: Yard, who: str = "ada") -> UUID:
    """A user of that name, with something in every table; their id."""
    destination_id = yard.destination(who=who)
    yard.accept(*(f"{who}-{number}" for number in range(6)), user=who, data={"note": f"canary of {who}"})
    yard.inbox.poison |= {f"{who}-3"}
    yard.drain()
    yard.accept(f"{who}-last", user=who)
    with yard.runtime.database.write() as session:
        connection = session.get_one(Connection, yard.connection(destination_id).id)
        user = session.get_one(User, connection.user_id)
        user.email = f"{who}@example.org"
        connections.degrade(session, connection.id, f"canary of {who}")
        told = {"dedupe_key": f"canary:{who}", "kind": "destination.expiry", "text": f"canary of {who}"}
        notices.tell(session, **told, user_id=user.id, connection_id=connection.id)
        links.make(session, LinkKind.CONNECT, user.id)
        sources.make(session, yard.runtime.vault, ACTOR, user.id, f"canary of {who}")
        api_keys.create(session, ACTOR, f"canary of {who}", [Scope.EVENTS_WRITE], user_id=user.id)
        sessions.open(session, user.id, SessionKind.LOGIN)
        session.flush()
        browser = session.scalars(select(UserSession).where(UserSession.user_id == user.id)).one()
        install = open_an_intent(session, browser, "baselime", "c", connection_id=None)
        install.connection_id = connection.id
        row = Revocation(id=uuid7(), connection_id=connection.id, due_at=clock.now() + timedelta(days=1))
        credentials.seal_for_revocation(yard.runtime.vault, row, {"refresh_token": Secret("x")})
        session.add(row)
        return user.id


def read_rows(yard: Yard) -> Rows:
    """Every row of every table but the instance's own, as text."""
    with yard.runtime.database.read() as session:
        return {
            table.name: {repr(tuple(row)) for row in session.execute(select(table))}
            for table in Base.metadata.sorted_tables
            if table.name not in OF_THE_INSTANCE
        }


def delete_wholly(yard: Yard, user_id: UUID) -> None:
    """From the mark to the end: the vendor confirms, and the time passes that late answers are given."""
    with yard.runtime.database.write() as session:
        deletion.begin(session, ACTOR, user_id)
    deletion.sweep(yard.runtime)
    let_time_pass(yard.runtime)
    deletion.sweep(yard.runtime)


def let_time_pass(runtime: Runtime) -> None:
    """Vendors confirmed what they were to revoke, and nothing that was under way can come any more."""
    marked = (
        select(Connection.id).join(User, User.id == Connection.user_id).where(User.deleting_at.is_not(None))
    )
    ended = update(Connection).where(Connection.disconnected_at.is_not(None))
    with runtime.database.write() as session:
        session.execute(delete(Revocation).where(Revocation.connection_id.in_(marked)))
        session.execute(ended.values(disconnected_at=clock.now() - sweeping.LATE))
