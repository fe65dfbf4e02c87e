"""Destinations, dead letters and single events over the interface."""

from typing import Any
from uuid import UUID

import pytest

from tests.api.conftest import Held, World
from webapp.core.runtime import Bell
from webapp.lib import clock
from webapp.models import Attempt, AttemptOutcome, Destination

HERE = "/api/v1"


@pytest.fixture
def held(world: World) -> Held:
    """A connection of `u_1` with one destination."""
    return world.connect(world.user("u_1"))


def send(world: World, *ids: str) -> list[str]:
    """Accept events of `u_1`; their public ids."""
    items = [{"user": "u_1", "id": own, "type": "deployment", "data": {"n": 1.5}} for own in ids]
    answer = world.client.post(f"{HERE}/events", json=items, headers=world.key())
    return list(answer.json["ids"])


def deliver(world: World, destination_id: UUID) -> None:
    """As if all that waits had been delivered."""
    with world.runtime.database.write() as session:
        row = session.get_one(Destination, destination_id)
        row.delivered += 2 - row.cursor_seq
        row.cursor_seq, row.due_at = 2, None


def show(world: World, destination_id: UUID) -> Any:
    return world.client.get(f"{HERE}/destinations/{destination_id}", headers=world.key()).json


def test_a_destination_shows_a_ledger_that_adds_up(world: World, held: Held) -> None:
    send(world, "1", "2")
    ledger = show(world, held.destination)["ledger"]
    assert ledger["accepted"] == 2
    assert ledger["waiting"] == 2
    listed = world.client.get(
        f"{HERE}/destinations", query_string={"connection": str(held.connection)}, headers=world.key()
    )
    assert [item["id"] for item in listed.json["items"]] == [str(held.destination)]
    assert listed.json["next"] is None


def test_a_destination_is_paused_and_resumed(world: World, held: Held) -> None:
    address, key = f"{HERE}/destinations/{held.destination}", world.key()
    paused = world.client.post(f"{address}/pause", headers=key)
    assert (paused.status_code, paused.json["hold"]) == (200, "paused")
    resumed = world.client.post(f"{address}/resume", headers=key)
    assert (resumed.status_code, resumed.json["hold"]) == (200, None)
    assert world.rings == [Bell.DELIVERY]


def test_a_rewind_sends_again_from_a_seq_on(world: World, held: Held) -> None:
    send(world, "1", "2")
    deliver(world, held.destination)
    address = f"{HERE}/destinations/{held.destination}/rewind"
    answer = world.client.post(address, json={"to_seq": 2}, headers=world.key())
    assert answer.status_code == 200
    assert answer.json["cursor_seq"] == 1
    assert answer.json["ledger"]["waiting"] == 1


def test_a_rewind_is_counted_before_anything_is_sent_again(world: World, held: Held) -> None:
    send(world, "1", "2")
    deliver(world, held.destination)
    before = show(world, held.destination)
    address = f"{HERE}/destinations/{held.destination}/rewind/count"
    answer = world.client.post(address, json={"to_seq": 2}, headers=world.key())
    assert (answer.status_code, answer.json) == (200, {"first_seq": 2, "events": 1})
    answer = world.client.post(address, json={"to_time": "2020-01-01T00:00:00Z"}, headers=world.key())
    assert answer.json == {"first_seq": 1, "events": 2}
    assert show(world, held.destination) == before
    assert world.client.post(address, json={"to_seq": 9}, headers=world.key()).status_code == 422


def test_it_says_when_what_waits_will_be_sent(world: World, held: Held) -> None:
    def drained_in() -> float | None:
        answer = world.client.get(f"{HERE}/destinations/{held.destination}", headers=world.key())
        seconds: float | None = answer.json["drained_in_seconds"]
        return seconds

    assert drained_in() == 0.0
    send(world, "1", "2")
    assert drained_in() is None, "nothing was delivered yet"
    now = clock.now()
    with world.runtime.database.write() as session:
        session.add(
            Attempt(
                destination_id=held.destination,
                first_seq=1,
                last_seq=4,
                events=4,
                outcome=AttemptOutcome.DELIVERED,
                milliseconds=1000,
                started_at=now,
                ended_at=now,
            )
        )
    assert drained_in() == 0.5
    assert 'hitchpost_drained_seconds{kind="baselime.events"} 0.5' in world.client.get("/metrics").text
    with world.runtime.database.write() as session:
        row = session.get_one(Destination, held.destination)
        row.failing_since, row.reason = now, "Its host does not answer anybody."
    assert drained_in() is None, "its vendor is silent"
    with world.runtime.database.write() as session:
        session.get_one(Destination, held.destination).failing_since = None
    world.client.post(f"{HERE}/destinations/{held.destination}/pause", headers=world.key())
    assert drained_in() is None, "it stands still"


def test_a_rewind_sends_again_from_a_time_on(world: World, held: Held) -> None:
    send(world, "1", "2")
    deliver(world, held.destination)
    address = f"{HERE}/destinations/{held.destination}/rewind"
    answer = world.client.post(address, json={"to_time": "2020-01-01T00:00:00Z"}, headers=world.key())
    assert answer.json["cursor_seq"] == 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"to_seq": 1, "to_time": "2020-01-01T00:00:00Z"}, ""),
        ({"to_seq": 0}, "/to_seq"),
        ({"to_seq": 3}, "/to_seq"),
        ({"to_seq": 2**63}, "/to_seq"),
        ({"to_seq": "1"}, "/to_seq"),
        ({"to_seq": 1.5}, "/to_seq"),
        ({"to_seq": True}, "/to_seq"),
        ({"to_time": "2020-01-01T00:00:00"}, "/to_time"),
        ({"to_time": 0}, "/to_time"),
        ({"to_time": "9999-12-31T23:59:59-14:00"}, "/to_time"),
        ({"to_time": "0001-01-01T00:00:00+09:00"}, "/to_time"),
        ({"cursor_seq": 1}, "/cursor_seq"),
    ],
)
def test_a_rewind_that_cannot_be_is_named_and_changes_nothing(
    world: World, held: Held, body: object, pointer: str
) -> None:
    send(world, "1", "2")
    deliver(world, held.destination)
    before = show(world, held.destination)
    address = f"{HERE}/destinations/{held.destination}/rewind"
    answer = world.client.post(address, json=body, headers=world.key())
    assert (answer.status_code, answer.json["type"]) == (422, "/problems/invalid-request")
    assert pointer in [fault["pointer"] for fault in answer.json["errors"]]
    assert show(world, held.destination) == before


def test_a_new_destination_is_backfilled_once_and_a_begun_one_is_told_to_rewind(
    world: World, held: Held
) -> None:
    send(world, "1", "2")
    with world.runtime.database.write() as session:
        row = session.get_one(Destination, held.destination)
        row.cursor_seq = row.origin_seq = 2
        row.dead, row.due_at = 0, None
    address = f"{HERE}/destinations/{held.destination}/backfill"
    filled = world.client.post(address, headers=world.key())
    assert (filled.status_code, filled.json["cursor_seq"]) == (200, 0)
    assert filled.json["ledger"] | {"accepted": 2, "waiting": 2} == filled.json["ledger"]
    assert world.rings[-1] is Bell.DELIVERY
    deliver(world, held.destination)
    refused = world.client.post(address, headers=world.key())
    assert (refused.status_code, refused.json["type"]) == (409, "/problems/conflict")
    assert "Rewind it to seq 1" in refused.json["detail"]


def test_a_dead_letter_is_replayed_once(world: World, held: Held) -> None:
    listed = world.client.get(f"{HERE}/dead-letters", query_string={"state": "open"}, headers=world.key())
    assert [item["id"] for item in listed.json["items"]] == [str(held.dead_letter)]
    address = f"{HERE}/dead-letters/{held.dead_letter}/replay"
    first = world.client.post(address, headers=world.key())
    assert (first.status_code, first.json["state"]) == (200, "queued")
    assert world.rings == [Bell.DELIVERY]
    second = world.client.post(address, headers=world.key())
    assert (second.status_code, second.json["type"]) == (409, "/problems/conflict")


def test_a_dead_letter_is_discarded_once(world: World, held: Held) -> None:
    address = f"{HERE}/dead-letters/{held.dead_letter}/discard"
    first = world.client.post(address, headers=world.key())
    assert (first.status_code, first.json["state"]) == (200, "discarded")
    assert world.client.post(address, headers=world.key()).status_code == 409


def test_all_dead_letters_of_a_destination_are_replayed_at_once(world: World, held: Held) -> None:
    address = f"{HERE}/destinations/{held.destination}/dead-letters/replay"
    assert world.client.post(address, headers=world.key()).json == {"queued": 1}
    assert world.rings == [Bell.DELIVERY]
    assert world.client.post(address, headers=world.key()).json == {"queued": 0}


def test_dead_letters_are_searched_and_exported_a_line_each(world: World, held: Held) -> None:
    world.connect(world.user("u_2"), workspace="other")
    key = world.key(user_id=world.user("u_1"))
    for choice, count in (
        ({"search": "refus"}, 1),
        ({"search": "other"}, 0),
        ({"event": "nothing"}, 0),
        ({"since": "2020-01-01T00:00:00Z", "until": "2099-01-01T00:00:00+02:00"}, 1),
        ({"until": "2020-01-01T00:00:00Z"}, 0),
    ):
        chosen = {"query_string": choice, "headers": key}
        listed = world.client.get(f"{HERE}/dead-letters", **chosen).json["items"]
        exported = world.client.get(f"{HERE}/dead-letters/export", **chosen)
        assert (len(listed), len(exported.text.splitlines())) == (count, count)
        assert exported.content_type == "application/x-ndjson"
    for odd in ("2020-01-01T00:00:00", "soon", "0001-01-01T00:00:00+09:00"):
        refused = world.client.get(f"{HERE}/dead-letters", query_string={"since": odd}, headers=key)
        assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "since")
    everybodys = world.client.get(f"{HERE}/dead-letters/export", headers=world.key()).text
    assert len(everybodys.splitlines()) == 2


def test_an_event_says_where_it_is(world: World, held: Held) -> None:
    (event_id,) = send(world, "1")
    answer = world.client.get(f"{HERE}/events/{event_id}", headers=world.key())
    assert answer.json["id"] == event_id
    assert answer.json["envelope"]["data"] == {"n": 1.5}
    (place,) = answer.json["places"]
    assert place["destination"] == str(held.destination)
    assert place["environment"] == "production"


@pytest.mark.parametrize("event_id", ["x", "0" * 32 + "-1", "0" * 32 + "-99999999999999999999", "%00", "-"])
def test_an_event_that_is_nowhere_is_not_found(world: World, event_id: str) -> None:
    answer = world.client.get(f"{HERE}/events/{event_id}", headers=world.key())
    assert (answer.status_code, answer.json["type"]) == (404, "/problems/not-found")
