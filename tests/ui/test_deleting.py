"""Deleting a person on the pages: what goes is counted, their name is typed, and the list says so."""

from tests.ui.world import World
from webapp.core import users


def test_the_page_counts_what_goes_and_deletes_once_the_name_is_typed(world: World) -> None:
    client, bob = world.client("alice"), world.users["bob"]
    address = f"/admin/people/{bob}/delete"
    page = client.get(address).text
    assert "Delete bob@example.org?" in page
    assert "1 connection, 1 of them open" in page
    slip = world.post(client, address, {"name": "carol"})
    assert (slip.status_code, "is to be bob@example.org" in slip.text) == (422, True)
    with world.runtime.database.read() as session:
        assert users.get(session, bob).deleting_at is None
    done = world.post(client, address, {"name": " bob@example.org "})
    assert done.headers["Location"] == "/admin/people"
    listed = client.get("/admin/people").text
    assert "bob@example.org is being deleted" in listed
    assert 'state bad">deleting<' in listed
    assert f"/admin/people/{bob}/enable" not in listed
    assert world.post(client, f"/admin/people/{bob}/enable").status_code == 409
    assert "goes on by itself" in client.get(address).text


def test_nobody_deletes_themselves(world: World) -> None:
    alice = world.users["alice"]
    answer = world.post(world.client("alice"), f"/admin/people/{alice}/delete", {"name": "alice@example.org"})
    assert (answer.status_code, "another admin" in answer.text) == (409, True)
