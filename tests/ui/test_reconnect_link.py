"""The link of a notice: one button, one connection, its owner, a week."""

from datetime import timedelta

from pydantic import SecretStr
from sqlalchemy import func, select, update

from tests.ui.world import World
from webapp.core import notices, users
from webapp.core.audit import HITCHPOST
from webapp.lib import clock
from webapp.models import AuditLine, Connection, ConnectionState, Install, SessionKind, UserSession


def link_of(
    world: World, *, days_ago: float = 0, state: ConnectionState = ConnectionState.NEEDS_RECONNECT
) -> str:
    with world.runtime.database.write() as session:
        connection = session.scalars(select(Connection)).one()
        connection.state, connection.reason = state, "Baselime no longer accepts our <access>."
    told_at = clock.now() - timedelta(days=days_ago)
    address = notices.reconnect_link(world.runtime.settings, connection.id, told_at)
    return address.removeprefix(world.runtime.settings.public_url)


def sessions_in(world: World) -> list[UserSession]:
    with world.runtime.database.read() as session:
        return list(session.scalars(select(UserSession).order_by(UserSession.created_at)))


def test_opening_it_does_nothing_and_shows_one_button(world: World) -> None:
    path = link_of(world)
    for _ in range(3):
        answer = world.client().get(path)
        assert answer.status_code == 200
        assert "Reconnect as bob@example.org" in answer.text
        assert "our &lt;access&gt;." in answer.text
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "data-submit-itself" not in answer.text
    assert sessions_in(world) == []


def test_the_button_begins_the_reconnect_in_a_connect_session_of_its_owner(world: World) -> None:
    client, path = world.client(), link_of(world)
    answer = world.post(client, path)
    assert answer.status_code == 303
    assert "baselime" in (answer.location or "")
    (opened,) = sessions_in(world)
    assert (opened.user_id, opened.kind) == (world.users["bob"], SessionKind.CONNECT)
    with world.runtime.database.read() as session:
        install = session.scalars(select(Install).where(Install.session_id == opened.id)).one()
        told = session.scalars(select(AuditLine.detail).where(AuditLine.act == "user.signed_in")).all()
    assert str(install.connection_id) == world.things["connection_id"]
    assert told == ["by the link of a notice"]


def test_what_it_opens_reaches_no_further_than_a_connect_session_even_for_an_admin(world: World) -> None:
    path = link_of(world)
    with world.runtime.database.write() as session:
        session.execute(update(Connection).values(user_id=world.users["alice"]))
    client = world.client()
    world.post(client, path)
    assert client.get("/connections").status_code == 200
    for forbidden in ("/events", "/admin/people", "/admin/audit"):
        assert client.get(forbidden).status_code == 403


def test_its_owners_own_session_is_kept(world: World) -> None:
    client, path = world.client("bob"), link_of(world)
    assert "is signed in" not in client.get(path).text
    assert world.post(client, path).status_code == 303
    (session,) = sessions_in(world)
    assert session.kind is SessionKind.LOGIN


def test_somebody_else_is_warned_and_their_session_ends(world: World) -> None:
    client, path = world.client("dan"), link_of(world)
    assert "dan@example.org</strong> is signed in" in client.get(path).text
    world.post(client, path)
    (session,) = sessions_in(world)
    assert (session.user_id, session.kind) == (world.users["bob"], SessionKind.CONNECT)


def test_once_the_connection_is_well_it_opens_nothing(world: World) -> None:
    for state in (ConnectionState.ACTIVE, ConnectionState.PAUSED, ConnectionState.DISCONNECTED):
        path = link_of(world, state=state)
        assert "Nothing to reconnect" in world.client().get(path).text
        assert "Nothing to reconnect" in world.post(world.client(), path).text
    assert sessions_in(world) == []


def test_over_cut_short_or_made_up_it_opens_nothing(world: World) -> None:
    good = link_of(world)
    for path in (
        link_of(world, days_ago=7.1),
        good[:-1],
        good + "x",
        "/reconnect/x",
        "/reconnect/" + "x" * 5000,
    ):
        assert world.client().get(path).status_code == 404
        answer = world.post(world.client(), path)
        assert answer.status_code == 404
        assert "works for a week" in answer.text
    assert sessions_in(world) == []


def test_a_link_signed_with_another_secret_is_made_up(world: World) -> None:
    link_of(world)
    other = world.runtime.settings.model_copy(update={"secret_key": SecretStr("x" * 40)})
    with world.runtime.database.read() as session:
        connection = session.scalars(select(Connection)).one()
    address = notices.reconnect_link(other, connection.id, clock.now())
    assert world.client().get(address.removeprefix(other.public_url)).status_code == 404


def test_a_disabled_owner_is_not_let_in(world: World) -> None:
    path = link_of(world)
    with world.runtime.database.write() as session:
        session.execute(update(Connection).values(user_id=world.users["carol"]))
        users.disable(session, HITCHPOST, world.users["carol"])
    assert world.client().get(path).status_code == 403
    assert world.post(world.client(), path).status_code == 403
    with world.runtime.database.read() as session:
        assert session.scalar(select(func.count()).select_from(UserSession)) == 0
