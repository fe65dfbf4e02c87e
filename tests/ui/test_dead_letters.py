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
