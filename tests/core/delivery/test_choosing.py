"""A destination chooses: by what events hold, in which form, and how late."""

import json
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.forwarding import ACTOR, SINGLE, Yard, status
from webapp.core import dead_letters, destinations
from webapp.core.queries.events import find_event
from webapp.core.queries.places import Place, Standing, places_of
from webapp.core.streams import pages
from webapp.models import AttemptOutcome, Event, Hold


def counted(yard: Yard, destination_id: UUID) -> dict[str, int]:
    row = yard.row(destination_id)
    return {name: getattr(row, name) for name in ("delivered", "filtered", "dead", "expired")}


def ages(yard: Yard, **span: float) -> None:
    """Everything that was accepted is older than it was."""
    with yard.runtime.database.write() as session:
        for event in session.scalars(select(Event)):
            event.accepted_at -= timedelta(**span)


def change(yard: Yard, destination_id: UUID, **settings: Any) -> None:
    with yard.runtime.database.write() as session:
        destinations.change_settings(session, ACTOR, destination_id, settings)


def place(yard: Yard, event_id: str) -> Place:
    with yard.runtime.database.read() as session:
        (found,) = places_of(session, find_event(session, None, event_id))
    return found


@pytest.mark.parametrize("kind", ["baselime.events", SINGLE.name])
def test_what_meets_no_condition_is_passed_over_and_counted(yard: Yard, kind: str) -> None:
    destination_id = yard.destination(kind, where="data.environment = production", types="deploy*")
    for name, environment in [("a", "staging"), ("b", "production"), ("c", "staging"), ("d", "production")]:
        yard.accept(name, data={"environment": environment})
    yard.accept("e", type="alert", data={"environment": "production"})
    (last,) = yard.accept("f", data={"environment": "staging"})
    yard.drain()
    assert yard.inbox.ids == ["b", "d"]
    assert counted(yard, destination_id) == {"delivered": 2, "filtered": 4, "dead": 0, "expired": 0}
    assert yard.row(destination_id).due_at is None
    found = place(yard, last)
    assert (found.standing, found.reason) == (
        Standing.FILTERED,
        "wanted only where data.environment = production",
    )
    yard.assert_ledgers_are_exact()


def test_what_is_sent_is_mapped_and_what_is_kept_is_not(yard: Yard) -> None:
    yard.destination(mapping="data.region -> data.cloud.region\n- data.secret")
    yard.accept("a", data={"region": "eu", "secret": "s"})
    yard.drain()
    ((_, sent),) = yard.inbox.taken
    assert sent["data"] == {"cloud": {"region": "eu"}}
    with yard.runtime.database.read() as session:
        assert json.loads(session.scalars(select(Event.body)).one())["data"] == {
            "region": "eu",
            "secret": "s",
        }


def test_what_a_mapping_makes_too_large_is_a_dead_letter_until_the_mapping_is_another(yard: Yard) -> None:
    destination_id = yard.destination(mapping=f"data.note = {'x' * 7_000}")
    yard.accept("a", data={"long": "y" * 249_500})
    yard.accept("b")
    yard.drain()
    assert yard.inbox.ids == ["b"]
    (letter,) = yard.dead_letters(destination_id)
    assert re.fullmatch(
        r"the mapping makes it 256,\d{3} bytes, an event must be below 256,000", letter.reason
    )
    assert letter.witness == "Measured here: no request was made."
    assert b"note" not in letter.body
    replay(yard, destination_id)
    assert yard.inbox.ids == ["b"], "the mapping is as it was"
    change(yard, destination_id, mapping="- data.long")
    replay(yard, destination_id)
    assert yard.inbox.ids == ["b", "a"]
    assert yard.inbox.taken[-1][1]["data"] == {}
    assert counted(yard, destination_id) == {"delivered": 1, "filtered": 0, "dead": 1, "expired": 0}
    yard.assert_ledgers_are_exact()


def replay(yard: Yard, destination_id: UUID) -> None:
    with yard.runtime.database.write() as session:
        assert dead_letters.replay_all(session, ACTOR, destination_id) == 1
    yard.drain()


def test_a_dead_letter_that_somebody_replays_is_wanted_by_that(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.inbox.poison = {"a"}
    yard.accept("a", "b", data={"x": "1"})
    yard.drain()
    (letter,) = yard.dead_letters(destination_id)
    assert letter.witness == "Others in the same request were taken: 1."
    yard.inbox.poison = set()
    change(yard, destination_id, where="data.x = 2", mapping="data.x -> data.y", fresh_for="1 s")
    ages(yard, days=1)
    replay(yard, destination_id)
    assert yard.inbox.ids == ["b", "a"]
    assert yard.inbox.taken[-1][1]["data"] == {"y": "1"}
    yard.assert_ledgers_are_exact()


def test_what_comes_too_late_expires_without_a_request(yard: Yard) -> None:
    destination_id = yard.destination(fresh_for="15 m", types="deploy*")
    (late,) = yard.accept("late")
    yard.accept("other", type="alert")
    yard.accept("late too")
    ages(yard, minutes=16)
    yard.accept("in time")
    yard.drain()
    assert yard.inbox.ids == ["in time"]
    assert counted(yard, destination_id) == {"delivered": 1, "filtered": 1, "dead": 0, "expired": 2}
    runs = [(run.outcome, run.events, run.requests, run.words) for run in yard.attempts(destination_id)]
    assert runs == [
        (AttemptOutcome.EXPIRED, 2, 0, "not sent: accepted more than 15 m before"),
        (AttemptOutcome.DELIVERED, 1, 1, None),
    ]
    found = place(yard, late)
    assert (found.standing, found.at is not None) == (Standing.EXPIRED, True)
    yard.assert_ledgers_are_exact()


def test_an_event_that_grows_old_while_its_vendor_fails_expires(yard: Yard) -> None:
    destination_id = yard.destination(fresh_for="1 h")
    yard.inbox.say = [status(503)]
    yard.accept("a")
    yard.drain()
    ages(yard, hours=2)
    yard.accept("b")
    yard.drain(hastened=1)
    assert yard.inbox.ids == ["b"]
    assert counted(yard, destination_id) == {"delivered": 1, "filtered": 0, "dead": 0, "expired": 1}


def test_an_event_is_late_by_the_time_it_is_sent_and_not_by_the_time_it_was_read(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination_id = yard.destination(SINGLE.name, fresh_for="1 h")
    yard.accept("a", "b")

    def later() -> None:
        monkeypatch.setattr(pages.Age, "is_over", lambda *_: True)
        ages(yard, hours=2)

    yard.inbox.during = later
    yard.drain()
    assert yard.inbox.ids == ["a"]
    assert counted(yard, destination_id) == {"delivered": 1, "filtered": 0, "dead": 0, "expired": 1}
    yard.assert_ledgers_are_exact()


def test_rewound_and_backfilled_events_never_come_too_late(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    yard.accept("a", "b")
    ages(yard, days=2)
    destination_id = yard.forward(environment_id, backfill=True, fresh_for="1 h")
    yard.drain()
    assert yard.inbox.ids == ["a", "b"]
    with yard.runtime.database.write() as session:
        destinations.rewind(session, ACTOR, destination_id, to_seq=2)
    yard.drain()
    assert yard.inbox.ids == ["a", "b", "b"]
    assert counted(yard, destination_id)["expired"] == 0
    yard.assert_ledgers_are_exact()


def test_nothing_expires_while_a_destination_is_held(yard: Yard) -> None:
    destination_id = yard.destination(fresh_for="1 h")
    with yard.runtime.database.write() as session:
        destinations.hold(session, destination_id, Hold.PAUSED, "x")
    yard.accept("a")
    ages(yard, hours=2)
    yard.drain(hastened=1)
    assert counted(yard, destination_id)["expired"] == 0


def test_a_lost_answer_shows_at_the_event_itself(yard: Yard) -> None:
    yard.destination()
    yard.inbox.lose()
    (name,) = yard.accept("a")
    (other,) = yard.accept("b")[-1:]
    yard.drain()
    assert place(yard, name).possibly_delivered
    yard.drain(hastened=1)
    found = place(yard, name)
    assert (found.standing, found.possibly_delivered) == (Standing.DELIVERED, True)
    yard.accept("c")
    (clear,) = yard.accept("d")
    yard.drain()
    assert not place(yard, clear).possibly_delivered
    assert place(yard, other).standing is Standing.DELIVERED
