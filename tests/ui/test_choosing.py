"""The settings by which a destination chooses, and their preview, on the pages."""

from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.ui.world import CANARIES, World
from webapp.models import Destination

HERE = "/destinations/<uuid:destination_id>"


@pytest.fixture
def bob(world: World) -> FlaskClient:
    return world.client("bob")


def settings_of(world: World) -> dict[str, object]:
    with world.runtime.database.read() as session:
        return session.scalars(select(Destination.settings)).one()


def test_lines_are_saved_and_shown_again(world: World, bob: FlaskClient) -> None:
    form = {"dataset": "logs", "types": "*", "where": "subject present\r\ndata.a = b", "fresh_for": "2 h"}
    assert world.post(bob, world.address(f"{HERE}/settings"), form).status_code == 303
    assert settings_of(world)["where"] == "subject present\ndata.a = b"
    page = unescape(bob.get(world.address(HERE)).text)
    assert ">subject present\ndata.a = b</textarea>" in page
    assert 'value="2 h"' in page


def test_a_bad_line_is_named_and_what_was_typed_stays(world: World, bob: FlaskClient) -> None:
    before = settings_of(world)
    for what in ("settings", "preview"):
        form = {"dataset": "logs", "types": "*", "mapping": "- data.a\n- id"}
        answer = world.post(bob, world.address(f"{HERE}/{what}"), form)
        assert answer.status_code == 422
        page = unescape(answer.text)
        assert "has a fault in line 2: id cannot be changed" in page
        assert "- data.a\n- id</textarea>" in page
    assert settings_of(world) == before


def test_a_preview_shows_the_request_without_a_secret_and_saves_nothing(
    world: World, bob: FlaskClient
) -> None:
    before = settings_of(world)
    form = {"dataset": "typed-here", "types": "*"}
    answer = world.post(bob, world.address(f"{HERE}/preview"), form)
    assert answer.status_code == 200
    assert "/v1/typed-here" in answer.text
    assert "x-api-key: ***" in answer.text
    assert not any(canary in answer.text for canary in CANARIES)
    assert settings_of(world) == before


def test_what_nothing_is_sent_of_says_why(world: World, bob: FlaskClient) -> None:
    form = {"dataset": "logs", "types": "nothing"}
    answer = world.post(bob, world.address(f"{HERE}/preview"), form)
    assert "Nothing would be sent:" in answer.text
    assert "no pattern takes the type" in answer.text


def test_before_a_destination_is_made_its_request_can_be_seen(world: World, bob: FlaskClient) -> None:
    rule = "/connections/<uuid:connection_id>/forward/preview"
    form = {"baselime.events:dataset": "typed-here", "baselime.events:types": "*"}
    answer = world.post(bob, f"{world.address(rule)}/baselime.events", form)
    assert answer.status_code == 200
    assert "/v1/typed-here" in answer.text
    assert world.post(bob, f"{world.address(rule)}/nobody.events", form).status_code == 404
    bad = form | {"baselime.events:fresh_for": "soon"}
    answer = world.post(bob, f"{world.address(rule)}/baselime.events", bad)
    assert answer.status_code == 422
    assert "is no length of time" in answer.text
