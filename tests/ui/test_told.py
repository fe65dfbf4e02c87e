"""What was told, as admins see it: what left, what was answered, and another try."""

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import select, update

from tests.receivers import SECRET
from tests.ui.world import World
from webapp.core import notices
from webapp.core.notices import endpoint
from webapp.core.runtime import Bell
from webapp.lib import clock
from webapp.models import AuditLine, Errand, ErrandState


@pytest.fixture
def alice(world: World) -> FlaskClient:
    return world.client("alice")


def text_of(client: FlaskClient, path: str = "/admin/told") -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", client.get(path).text))


def settle(world: World, state: ErrandState, **more: object) -> None:
    with world.runtime.database.write() as session:
        session.execute(update(Errand).values(state=state, due_at=None, settled_at=clock.now(), **more))


def test_it_says_which_ways_there_are_and_what_became_of_each_errand(
    world: World, alice: FlaskClient
) -> None:
    settle(world, ErrandState.GIVEN_UP, status=503, answer="answered 503", tries=40)
    page = text_of(alice)
    assert "HITCHPOST_SMTP_URL is empty" in page
    assert "HITCHPOST_WEBHOOK_URL is empty" in page
    assert "connection.paused" in page
    assert "given up" in page
    assert "503 answered 503" in page
    assert "No such mail or webhook" in text_of(alice, "/admin/told?state=sent")


def test_what_was_given_up_is_tried_again_by_a_button_and_what_was_sent_is_not(
    world: World, alice: FlaskClient
) -> None:
    settle(world, ErrandState.GIVEN_UP)
    path = f"/admin/told/{world.things['errand_id']}/retry"
    assert world.post(alice, path).status_code == 303
    with world.runtime.database.read() as session:
        errand = session.scalars(select(Errand)).one()
        lines = list(session.scalars(select(AuditLine.act)))
    assert errand.due_at is not None
    assert errand.due_at <= clock.now()
    assert "errand.retried" in lines
    settle(world, ErrandState.SENT)
    assert world.post(alice, path).status_code == 409
    assert "Try now" not in text_of(alice)


def test_one_that_is_being_sent_is_left_alone(world: World, alice: FlaskClient) -> None:
    with world.runtime.database.write() as session:
        errand = session.scalars(select(Errand)).one()
        errand.lease, errand.due_at = errand.id, clock.now() + timedelta(seconds=50)
    assert "sending" in text_of(alice)
    assert world.post(alice, f"/admin/told/{errand.id}/retry").status_code == 409


def test_an_address_that_is_gone_is_opened_again(world: World, alice: FlaskClient) -> None:
    hooked = world.runtime.settings.model_copy(
        update={"webhook_url": "https://app.test/secret-canary", "webhook_secret": SecretStr(SECRET)}
    )
    object.__setattr__(world.runtime, "settings", hooked)
    assert "To app.test, signed" in text_of(alice)
    with world.runtime.database.write() as session:
        endpoint.shut(session, hooked)
    page = text_of(alice)
    assert "app.test answered 410 Gone" in page
    assert "secret-canary" not in page
    assert world.post(alice, "/admin/told/open").status_code == 303
    with world.runtime.database.read() as session:
        assert not notices.is_shut(session, hooked)


def test_a_test_is_written_for_the_workers(world: World, alice: FlaskClient) -> None:
    hooked = world.runtime.settings.model_copy(update={"webhook_url": "https://app.test/"})
    rung: list[Bell] = []
    object.__setattr__(world.runtime, "settings", hooked)
    object.__setattr__(world.runtime, "wake", rung.append)
    assert world.post(alice, "/admin/told/test").status_code == 303
    assert "hitchpost.test" in text_of(alice)
    assert rung == [Bell.NOTICES]
