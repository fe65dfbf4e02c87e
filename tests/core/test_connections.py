"""A connection's states: every move there is, and none that there is not."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from webapp.core import connections, destinations, installs
from webapp.core.audit import Actor
from webapp.core.installs import Browser, Ending
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, NotFound
from webapp.lib import clock
from webapp.lib.ids import uuid7
from webapp.models import (
    Account,
    AuditLine,
    Connection,
    ConnectionState,
    Credential,
    CredentialKind,
    Destination,
    Environment,
    Hold,
    Install,
    InstallState,
    UserSession,
)

Connect = Callable[..., Connection]
ACTIVE, DEGRADED = ConnectionState.ACTIVE, ConnectionState.DEGRADED
NEEDS_RECONNECT, PAUSED = ConnectionState.NEEDS_RECONNECT, ConnectionState.PAUSED
DISCONNECTED = ConnectionState.DISCONNECTED


@pytest.fixture
def connection(ada: UserSession, connect: Connect) -> Connection:
    return connect(ada)


@pytest.fixture
def actor(ada: UserSession) -> Actor:
    return Actor.user(ada.user_id)


def read(runtime: Runtime, connection_id: UUID) -> Connection:
    with runtime.database.read() as session:
        return session.get_one(Connection, connection_id)


def put(runtime: Runtime, connection_id: UUID, state: ConnectionState) -> None:
    with runtime.database.write() as session:
        session.get_one(Connection, connection_id).state = state


def forward_to_first(runtime: Runtime, actor: Actor) -> UUID:
    with runtime.database.write() as session:
        where = session.scalars(select(Environment.id).order_by(Environment.id)).first()
        assert where is not None
        return destinations.create(session, actor, where, "baselime.events", {}).id


MOVES = {
    "degrade": {ACTIVE: DEGRADED, DEGRADED: DEGRADED},
    "mark": {ACTIVE: NEEDS_RECONNECT, DEGRADED: NEEDS_RECONNECT},
    "recover": {DEGRADED: ACTIVE, NEEDS_RECONNECT: ACTIVE},
    "pause": {ACTIVE: PAUSED, DEGRADED: PAUSED, NEEDS_RECONNECT: PAUSED},
    "resume": {PAUSED: ACTIVE},
    "disconnect": dict.fromkeys((ACTIVE, DEGRADED, NEEDS_RECONNECT, PAUSED), DISCONNECTED),
}
#: a worker's finding that comes too late changes nothing; a person's act that makes no sense is refused
QUIET = {"degrade", "mark", "recover"}


def act(runtime: Runtime, actor: Actor, move: str, connection_id: UUID) -> None:
    if move == "disconnect":
        connections.disconnect(runtime, actor, connection_id)
        return
    with runtime.database.write() as session:
        if move == "degrade":
            connections.degrade(session, connection_id, "Something needs a look.")
        elif move == "mark":
            connections.mark_needs_reconnect(session, connection_id, "The vendor says no.")
        elif move == "recover":
            connections.recover(session, connection_id)
        elif move == "pause":
            connections.pause(session, actor, connection_id)
        else:
            connections.resume(session, actor, connection_id)


def test_every_move_goes_where_it_may_and_nowhere_else(
    runtime: Runtime, actor: Actor, ada: UserSession, connect: Connect
) -> None:
    for number, (move, allowed) in enumerate(MOVES.items()):
        for place, state in enumerate(ConnectionState):
            connection = connect(ada, f"code-{number}-{place}")
            put(runtime, connection.id, state)
            if state in allowed or move in QUIET:
                act(runtime, actor, move, connection.id)
            else:
                with pytest.raises(Conflict):
                    act(runtime, actor, move, connection.id)
            assert read(runtime, connection.id).state is allowed.get(state, state), (move, state)
            if read(runtime, connection.id).state is not DISCONNECTED:
                put(runtime, connection.id, ACTIVE)
                connections.disconnect(runtime, actor, connection.id)
            release_accounts(runtime, connection.id)


def release_accounts(runtime: Runtime, connection_id: UUID) -> None:
    with runtime.database.write() as session:
        for account in session.scalars(select(Account).where(Account.connection_id == connection_id)):
            account.released_at = clock.now()


def test_a_connection_that_is_not_there_is_not_found(runtime: Runtime, actor: Actor) -> None:
    for move in MOVES:
        with pytest.raises(NotFound):
            act(runtime, actor, move, uuid7())


def test_a_state_says_why(runtime: Runtime, connection: Connection, actor: Actor) -> None:
    act(runtime, actor, "degrade", connection.id)
    assert read(runtime, connection.id).reason == "Something needs a look."
    act(runtime, actor, "recover", connection.id)
    assert read(runtime, connection.id).reason is None
    with runtime.database.read() as session:
        lines = session.scalars(
            select(AuditLine.detail).where(AuditLine.act == "connection.state_changed").order_by(AuditLine.id)
        ).all()
    assert lines == ["degraded: Something needs a look.", "active: all is well"]


def test_saying_the_same_again_writes_no_second_line(
    runtime: Runtime, connection: Connection, actor: Actor
) -> None:
    for _ in range(3):
        act(runtime, actor, "degrade", connection.id)
    with runtime.database.read() as session:
        acts = list(session.scalars(select(AuditLine.act)))
    assert acts.count("connection.state_changed") == 1


def test_what_is_still_wrong_stays_the_reason(runtime: Runtime, connection: Connection, actor: Actor) -> None:
    destination_id = forward_to_first(runtime, actor)
    with runtime.database.write() as session:
        destinations.hold(session, destination_id, Hold.KEY_REFUSED, "The key is refused.")
        connections.degrade(session, connection.id, "The list cannot be fetched.")
        connections.recover(session, connection.id)
    after = read(runtime, connection.id)
    assert after.state is DEGRADED
    assert after.reason == "A destination stands still: The key is refused."


def test_a_destinations_recovery_does_not_hide_a_refused_grant(
    runtime: Runtime, connection: Connection, actor: Actor
) -> None:
    with runtime.database.write() as session:
        grant = session.scalars(select(Credential).where(Credential.kind == CredentialKind.GRANT)).one()
        grant.refused_at = clock.now()
    act(runtime, actor, "mark", connection.id)
    act(runtime, actor, "recover", connection.id)
    assert read(runtime, connection.id).state is NEEDS_RECONNECT


def test_needing_a_reconnect_stops_no_delivery(
    runtime: Runtime, connection: Connection, actor: Actor
) -> None:
    destination_id = forward_to_first(runtime, actor)
    act(runtime, actor, "mark", connection.id)
    with runtime.database.read() as session:
        assert session.get_one(Destination, destination_id).hold is None


def test_a_pause_holds_its_destinations_and_a_resume_lets_them_go_on(
    runtime: Runtime, connection: Connection, actor: Actor
) -> None:
    destination_id = forward_to_first(runtime, actor)
    act(runtime, actor, "pause", connection.id)
    with runtime.database.read() as session:
        assert session.get_one(Destination, destination_id).hold is Hold.PAUSED
    act(runtime, actor, "resume", connection.id)
    with runtime.database.read() as session:
        assert session.get_one(Destination, destination_id).hold is None


def test_a_refused_pause_holds_nothing(runtime: Runtime, connection: Connection, actor: Actor) -> None:
    destination_id = forward_to_first(runtime, actor)
    put(runtime, connection.id, PAUSED)
    with pytest.raises(Conflict):
        act(runtime, actor, "pause", connection.id)
    with runtime.database.read() as session:
        assert session.get_one(Destination, destination_id).hold is None


def test_a_refusal_found_during_a_pause_shows_after_the_resume(
    runtime: Runtime, connection: Connection, actor: Actor
) -> None:
    act(runtime, actor, "pause", connection.id)
    with runtime.database.write() as session:
        grant = session.scalars(select(Credential).where(Credential.kind == CredentialKind.GRANT)).one()
        grant.refused_at, grant.words = clock.now() - timedelta(hours=1), "revoked"
    act(runtime, actor, "mark", connection.id)
    act(runtime, actor, "resume", connection.id)
    after = read(runtime, connection.id)
    assert after.state is DEGRADED
    assert after.reason == "Its access could not be refreshed: revoked"
    with runtime.database.read() as session:
        grant = session.get_one(Credential, grant.id)
    assert grant.refresh_at is not None
    assert grant.refresh_at <= clock.now()


# Disconnecting


def test_a_disconnect_leaves_no_secret_no_account_and_no_open_destination(
    runtime: Runtime, connection: Connection, actor: Actor
) -> None:
    destination_id = forward_to_first(runtime, actor)
    assert connections.disconnect(runtime, actor, connection.id) == "Remove it in the console too."
    with runtime.database.read() as session:
        assert all(
            one.sealed is None and one.refresh_at is None for one in session.scalars(select(Credential))
        )
        assert all(one.released_at is not None for one in session.scalars(select(Account)))
        destination = session.get_one(Destination, destination_id)
        lines = list(session.scalars(select(AuditLine.act).where(AuditLine.actor == actor.name)))
    assert destination.closed_at is not None
    assert destination.hold is Hold.DISCONNECTED
    assert "connection.disconnected" in lines
    after = read(runtime, connection.id)
    assert (after.environments_due_at, after.disconnected_at is not None) == (None, True)


def test_a_disconnected_account_can_be_connected_by_somebody_else(
    runtime: Runtime, connection: Connection, actor: Actor, bob: UserSession, connect: Connect
) -> None:
    connections.disconnect(runtime, actor, connection.id)
    assert connect(bob, "code-0002").user_id == bob.user_id


def test_a_reconnect_under_way_ends_with_its_connection(
    runtime: Runtime, connection: Connection, actor: Actor, ada: UserSession, asked_for: Callable[..., UUID]
) -> None:
    install_id = asked_for(ada, "code-0002", connection_id=connection.id)
    connections.disconnect(runtime, actor, connection.id)
    with runtime.database.read() as session:
        install = session.get_one(Install, install_id)
    assert (install.state, install.sealed) == (InstallState.CANCELLED, None)
    page = installs.open_page(runtime, install_id, Browser(session=ada))
    assert page.ending is Ending.CANCELLED


# A person's wishes


def test_refresh_now_makes_the_grant_due(runtime: Runtime, connection: Connection, actor: Actor) -> None:
    with runtime.database.write() as session:
        connections.refresh_now(session, actor, connection.id)
    with runtime.database.read() as session:
        grant = session.scalars(select(Credential).where(Credential.kind == CredentialKind.GRANT)).one()
    assert grant.refresh_at is not None
    assert grant.refresh_at <= clock.now()


def test_refresh_now_does_not_break_in_on_a_refresh(
    runtime: Runtime, connection: Connection, actor: Actor
) -> None:
    until = clock.now() + timedelta(seconds=60)
    with runtime.database.write() as session:
        grant = session.scalars(select(Credential).where(Credential.kind == CredentialKind.GRANT)).one()
        grant.lease, grant.refresh_at = uuid7(), until
    with runtime.database.write() as session:
        connections.refresh_now(session, actor, connection.id)
    with runtime.database.read() as session:
        assert session.get_one(Credential, grant.id).refresh_at == until


def test_refetching_makes_the_list_due(runtime: Runtime, connection: Connection, actor: Actor) -> None:
    with runtime.database.write() as session:
        connections.refetch_environments(session, actor, connection.id)
    due = read(runtime, connection.id).environments_due_at
    assert due is not None
    assert due <= clock.now()


def test_nothing_is_asked_of_a_disconnected_connection(
    runtime: Runtime, connection: Connection, actor: Actor
) -> None:
    connections.disconnect(runtime, actor, connection.id)
    for wish in (connections.refresh_now, connections.refetch_environments):
        with pytest.raises(Conflict), runtime.database.write() as session:
            wish(session, actor, connection.id)
