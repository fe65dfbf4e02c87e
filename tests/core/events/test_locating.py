"""Where an event is, told for each destination."""

from uuid import UUID

import pytest
from sqlalchemy import update

from tests.forwarding import ACTOR, SINGLE, Yard, status
from webapp.core import dead_letters, events
from webapp.core.events import Whereabouts
from webapp.errors import NotFound
from webapp.models import Attempt, Destination

W = Whereabouts


def where(yard: Yard, event_id: str) -> dict[UUID, Whereabouts]:
    with yard.runtime.database.read() as session:
        found = events.locate(session, event_id)
    return {standing.destination_id: standing.whereabouts for standing in found.standings}


def test_an_event_is_told_with_all_its_parts(yard: Yard) -> None:
    user_id = yard.user()
    event_id = yard.accept("a", source="ci", subject="api", state="start")[0]
    with yard.runtime.database.read() as session:
        found = events.locate(session, event_id)
        assert events.find_id(session, user_id, "ci", "a") == event_id
        assert events.find_id(session, user_id, "app", "a") is None
    assert (found.id, found.user_id, found.seq) == (event_id, user_id, 1)
    assert (found.type, found.source, found.subject, found.state) == ("deployment", "ci", "api", "start")
    assert found.standings == ()


def test_each_destination_says_where_it_is(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    early = yard.accept("early")[0]
    all_of_it, some = yard.forward(environment_id), yard.forward(environment_id, SINGLE.name, types="alert")
    event_id = yard.accept("a")[0]
    assert where(yard, event_id) == {all_of_it: W.WAITING, some: W.WAITING}
    yard.drain()
    assert where(yard, event_id) == {all_of_it: W.DELIVERED, some: W.FILTERED}
    assert where(yard, early) == {all_of_it: W.BEFORE, some: W.BEFORE}


def test_a_dead_letter_is_named_until_it_is_replayed(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.inbox.poison = {"bad"}
    _, event_id = yard.accept("good", "bad")
    yard.drain()
    assert where(yard, event_id) == {destination_id: W.DEAD_LETTER}
    with yard.runtime.database.read() as session:
        standing = events.locate(session, event_id).standings[0]
    assert standing.dead_letter_id == yard.dead_letters(destination_id)[0].id
    yard.inbox.poison = set()
    with yard.runtime.database.write() as session:
        dead_letters.replay_all(session, ACTOR, destination_id)
    yard.drain()
    assert where(yard, event_id) == {destination_id: W.DELIVERED}


def test_an_event_that_fails_waits_and_shows_its_attempt(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.inbox.say = [status(503)]
    event_id = yard.accept("a")[0]
    yard.drain()
    with yard.runtime.database.read() as session:
        standing = events.locate(session, event_id).standings[0]
    assert standing.whereabouts is W.WAITING
    assert standing.attempt_id == yard.attempts(destination_id)[0].id


def test_what_expired_is_told_apart_from_what_was_sent(yard: Yard) -> None:
    destination_id = yard.destination()
    sent = yard.accept("sent")[0]
    yard.drain()
    lost = yard.accept("lost")[0]
    yard.change(update(Destination).values(cursor_seq=2, expired=1))
    assert (where(yard, sent), where(yard, lost)) == (
        {destination_id: W.DELIVERED},
        {destination_id: W.EXPIRED},
    )
    yard.change(update(Destination).values(expired=0))
    yard.change(update(Attempt).values(first_seq=9, last_seq=9))
    assert where(yard, sent) == {destination_id: W.DELIVERED}, "its attempt is forgotten"


@pytest.mark.parametrize(
    "event_id",
    [
        "",
        "x",
        "0" * 32 + "-1",
        "0" * 32 + "-0",
        "0" * 32 + "--1",
        "0" * 32 + "-" + "9" * 30,
        "\x00",
        "é" * 32 + "-1",
    ],
)
def test_an_unknown_id_is_not_found(yard: Yard, event_id: str) -> None:
    with pytest.raises(NotFound), yard.runtime.database.read() as session:
        events.locate(session, event_id)


def test_a_test_event_goes_the_way_of_every_other(yard: Yard) -> None:
    destination_id = yard.destination()
    with yard.runtime.database.read():
        user_id = yard.connection(destination_id).user_id
    event_id = events.send_test_event(yard.runtime, user_id, "ada")
    yard.drain()
    assert yard.inbox.taken[0][1]["type"] == events.TEST_TYPE
    assert where(yard, event_id) == {destination_id: W.DELIVERED}
