"""One-time links: invitations, and the way in for a host app's own users."""

from sqlalchemy import select

from tests.ui.world import PASSWORD, World
from webapp.core import connect_sessions
from webapp.core.audit import HITCHPOST
from webapp.models import OneTimeLink, SessionKind, UserSession


def test_an_invited_person_chooses_a_password_and_is_in(world: World) -> None:
    client, path = world.client(), f"/invite/{world.things['link']}"
    assert "eve@example.org" in client.get(path).text
    form = {"password": PASSWORD.reveal(), "repeated": PASSWORD.reveal()}
    answer = world.post(client, path, form)
    assert (answer.status_code, answer.location) == (303, "/")
    assert "eve@example.org" in client.get("/connections").text
    again = world.post(world.client(), path, form)
    assert again.status_code == 404
    assert "used, over or cut short" in again.text


def test_what_is_wrong_with_the_password_stands_at_its_field(world: World) -> None:
    client, path = world.client(), f"/invite/{world.things['link']}"
    short = world.post(client, path, {"password": "short", "repeated": "short"})
    assert short.status_code == 422
    assert 'id="password-fault"' in short.text
    assert 'aria-describedby="password-help password-fault"' in short.text
    differs = world.post(client, path, {"password": PASSWORD.reveal(), "repeated": "another one"})
    assert 'id="repeated-fault"' in differs.text
    assert PASSWORD.reveal() not in short.text + differs.text


def test_scanners_of_links_spend_nothing(world: World) -> None:
    connect = f"/connect/session/{world.connect_link()}"
    for path in (f"/invite/{world.things['link']}", connect):
        for _ in range(3):
            assert world.client().get(path).status_code == 200
            assert world.client().head(path).status_code == 200
    with world.runtime.database.read() as session:
        assert all(link.used_at is None for link in session.execute(select(OneTimeLink)).scalars())


def test_a_connect_session_reaches_connecting_and_ones_own_connections_only(world: World) -> None:
    client, path = world.client(), f"/connect/session/{world.connect_link()}"
    page = client.get(path).text
    assert "Continue as u_carol" in page
    assert "data-submit-itself" in page
    answer = world.post(client, path)
    assert (answer.status_code, answer.location) == (303, "/connect")
    assert client.get("/connect").status_code == 200
    assert "acme" not in client.get("/connections").text
    assert client.get(f"/connections/{world.things['connection_id']}").status_code == 404
    assert client.get("/events").status_code == 403
    assert client.get("/admin/people").status_code == 403
    assert world.post(world.client(), path).status_code == 404


def test_somebody_signed_in_is_warned_and_no_script_presses_the_button(world: World) -> None:
    client, path = world.client("bob"), f"/connect/session/{world.connect_link()}"
    page = client.get(path).text
    assert "bob@example.org</strong> is signed in" in page
    assert "data-submit-itself" not in page
    with world.runtime.database.read() as session:
        before = session.execute(select(UserSession)).scalar_one()
    world.post(client, path)
    with world.runtime.database.read() as session:
        after = session.execute(select(UserSession)).scalar_one()
    assert before.user_id == world.users["bob"]
    assert (after.user_id, after.kind) == (world.users["carol"], SessionKind.CONNECT)


def test_who_came_from_the_app_is_offered_the_way_back(world: World) -> None:
    with world.runtime.database.write() as session:
        link, _ = connect_sessions.create(
            session, HITCHPOST, "u_carol", "https://app.example.org/done", ("https://app.example.org",)
        )
    client = world.client()
    world.post(client, f"/connect/session/{link.reveal()}")
    page = client.get("/connect").text
    assert 'href="https://app.example.org/done"' in page
    assert "Return to Shipyard" in page


def test_a_made_up_link_is_a_clear_page(world: World) -> None:
    for path in ("/invite/x", "/connect/session/x", "/invite/" + "x" * 5000):
        answer = world.client().get(path)
        assert answer.status_code == 404
        assert "works once" in answer.text
