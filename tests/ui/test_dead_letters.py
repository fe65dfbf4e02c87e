"""Dead letters on the pages: found, taken away as a file, and sent again all at once."""

import json

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.ui.world import World
from webapp.models import DeadLetter, DeadLetterState


@pytest.fixture
def bob(world: World) -> FlaskClient:
    return world.client("bob")


def test_they_are_found_by_a_part_of_their_reason_and_exported_alike(world: World, bob: FlaskClient) -> None:
    with world.runtime.database.read() as session:
        letter = session.scalars(select(DeadLetter)).one()
    words = letter.reason[1:5]
    assert letter.reason in bob.get(f"/dead-letters?search={words}").text
    assert letter.reason not in bob.get("/dead-letters?search=nowhere").text
    answer = bob.get(f"/dead-letters/export?search={words}")
    assert json.loads(answer.text)["id"] == str(letter.id)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="dead-letters.ndjson"'
    assert world.client("dan").get("/dead-letters/export").text == ""


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("event=<event>", True),
        ("event=nothing", False),
        ("since=2020-01-01T00:00", True),
        ("until=2020-01-01T00:00", False),
        ("since=2020-01-01&until=2099-01-01T00:00:00%2B02:00", True),
        ("since=soon&until=0001-01-01T00:00%2B09:00", True),
    ],
)
def test_they_are_found_by_their_event_and_when_they_died(
    *, world: World, bob: FlaskClient, asked: str, found: bool
) -> None:
    asked = asked.replace("<event>", world.things["event_id"].replace("-2", "-1"))
    page = bob.get(f"/dead-letters?{asked}").text
    assert ("too large" in page) is found
    assert bool(bob.get(f"/dead-letters/export?{asked}").text) is found
    if found:
        assert 'href="/dead-letters/export?state=open' in page


def test_the_page_of_one_tells_its_witness(world: World, bob: FlaskClient) -> None:
    with world.runtime.database.write() as session:
        session.execute(update(DeadLetter).values(witness="No. 9 was taken."))
    assert "No. 9 was taken." in bob.get(world.address("/dead-letters/<letter_id>")).text


def test_all_of_a_destination_are_sent_again_by_one_button(world: World, bob: FlaskClient) -> None:
    page = bob.get(world.address("/destinations/<destination_id>")).text
    assert "Send the one that is open again" in page
    answer = world.post(bob, world.address("/dead-letters/of/<destination_id>/replay"))
    assert answer.status_code == 303
    with world.runtime.database.read() as session:
        assert session.scalars(select(DeadLetter.state)).one() is DeadLetterState.QUEUED
    assert "open again" not in bob.get(world.address("/destinations/<destination_id>")).text
