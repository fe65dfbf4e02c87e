"""Accepting: all or nothing, each once, under one order."""

import json
from typing import Any

import pytest
from sqlalchemy import func, select, update

from tests.forwarding import Yard
from webapp.core import events
from webapp.core.events import EventForm, IdentityConflict
from webapp.core.runtime import Bell
from webapp.errors import Invalid
from webapp.lib import clock
from webapp.models import Event, Stream, User


def send(yard: Yard, *items: dict[str, Any], only_user: Any = None) -> events.Accepted:
    payload = json.dumps(list(items)).encode()
    return events.accept(yard.runtime, payload, form=EventForm.NATIVE, only_user=only_user)


def item(id: str, user: str | None = "ada", **fields: Any) -> dict[str, Any]:
    return {"id": id, "type": "t", **({"user": user} if user else {}), **fields}


def stored(yard: Yard) -> list[tuple[int, str]]:
    with yard.runtime.database.read() as session:
        rows = session.execute(select(Event.seq, Event.body).order_by(Event.stream_id, Event.seq))
        return [(seq, json.loads(body)["id"]) for seq, body in rows]


def test_events_are_numbered_without_gaps_in_the_order_they_came(yard: Yard) -> None:
    yard.user()
    accepted = send(yard, item("a"), item("b"))
    assert (accepted.accepted, accepted.duplicates) == (2, 0)
    assert send(yard, item("c")).ids[0].endswith("-3")
    assert stored(yard) == [(1, "a"), (2, "b"), (3, "c")]


def test_one_request_may_hold_events_of_several_users(yard: Yard) -> None:
    yard.user("ada")
    bob = yard.user("bob")
    accepted = send(yard, item("1"), item("1", str(bob)), item("2"))
    streams = [public.split("-")[0] for public in accepted.ids]
    assert streams[0] == streams[2] != streams[1]
    assert [public.split("-")[1] for public in accepted.ids] == ["1", "1", "2"]


def test_the_same_event_again_is_a_duplicate_with_the_first_id(yard: Yard) -> None:
    yard.user()
    first = send(yard, item("a", data={"x": 1}), item("b"))
    again = send(yard, item("b"), item("c"), item("a", data={"x": 1}))
    assert (again.accepted, again.duplicates) == (1, 2)
    assert (again.ids[0], again.ids[2]) == (first.ids[1], first.ids[0])
    assert stored(yard) == [(1, "a"), (2, "b"), (3, "c")]


def test_the_same_event_twice_in_one_request_is_stored_once(yard: Yard) -> None:
    yard.user()
    accepted = send(yard, item("a"), item("a"))
    assert (accepted.accepted, accepted.duplicates) == (1, 1)
    assert accepted.ids[0] == accepted.ids[1]


def test_another_event_under_a_known_identity_is_a_conflict_and_nothing_is_stored(yard: Yard) -> None:
    yard.user()
    first = send(yard, item("a"))
    with pytest.raises(IdentityConflict) as caught:
        send(yard, item("new"), item("a", data={"x": 1}), item("b"), item("b", subject="s"))
    assert [fault.where for fault in caught.value.faults] == ["/1", "/3"]
    assert first.ids[0] in caught.value.faults[0].what
    assert stored(yard) == [(1, "a")]


def test_the_same_id_from_another_source_is_another_event(yard: Yard) -> None:
    yard.user()
    assert send(yard, item("a"), item("a", source="ci")).accepted == 2


def test_one_bad_item_keeps_all_others_out(yard: Yard) -> None:
    yard.user()
    with pytest.raises(Invalid) as caught:
        send(yard, item("a"), item("b", state="x"), item("c", type=None))
    assert [fault.where for fault in caught.value.faults] == ["/1/state", "/2/type"]
    assert stored(yard) == []


def test_unknown_disabled_and_missing_users_are_named_and_nothing_is_stored(yard: Yard) -> None:
    yard.user()
    gone = yard.user("gone")
    yard.change(update(User).where(User.id == gone).values(disabled_at=clock.now()))
    with pytest.raises(Invalid) as caught:
        send(yard, item("a"), item("b", "nobody"), item("c", "gone"), item("d", str(gone)), item("e", None))
    assert [fault.where for fault in caught.value.faults] == ["/1/user", "/2/user", "/3/user", "/4/user"]
    assert "is missing" in caught.value.faults[3].what
    assert stored(yard) == []


def test_a_key_bound_to_a_user_takes_that_users_events_only(yard: Yard) -> None:
    ada, bob = yard.user("ada"), yard.user("bob")
    assert send(yard, item("a", None), item("b", "ada"), item("c", str(ada)), only_user=ada).accepted == 3
    for other in ("bob", str(bob), "nobody"):
        with pytest.raises(Invalid, match="bound to"):
            send(yard, item("d", other), only_user=ada)


def test_a_users_id_is_never_taken_for_anothers_external_id(yard: Yard) -> None:
    ada = yard.user("ada")
    mallory = yard.user(str(ada))
    send(yard, item("a", str(ada)))
    with yard.runtime.database.read() as session:
        owner = session.execute(select(Stream.user_id).where(Stream.head_seq == 1)).scalar_one()
    assert owner == ada != mallory


def test_a_due_destination_rings_delivery_after_the_commit_and_an_idle_stream_rings_nobody(
    yard: Yard,
) -> None:
    yard.user("bob")
    yard.accept("x", user="bob")
    assert yard.rung == []
    yard.destination()
    yard.accept("a")
    assert yard.rung == [Bell.DELIVERY]
    yard.accept("b")
    assert yard.rung == [Bell.DELIVERY], "it is due already"
    yard.accept("b")
    assert yard.rung == [Bell.DELIVERY]


def test_a_stop_carries_when_its_start_was(yard: Yard) -> None:
    yard.user()
    send(yard, item("1", state="start", subject="api", time="2026-01-31T11:00:00Z"))
    send(yard, item("2", state="start", subject="web", time="2026-01-31T11:01:00Z"))
    send(
        yard,
        item("3", state="stop", subject="api", time="2026-01-31T12:00:00Z"),
        item("4", state="start", subject="db", time="2026-01-31T12:00:00Z"),
        item("5", state="stop", subject="db", time="2026-01-31T12:05:00Z"),
        item("6", state="stop", subject="never", time="2026-01-31T12:05:00Z"),
        item("7", type="other", state="stop", subject="api", time="2026-01-31T12:05:00Z"),
        item("8", state="stop", subject="web", time="2026-01-31T10:00:00Z"),
    )
    with yard.runtime.database.read() as session:
        bodies = [json.loads(body) for body in session.scalars(select(Event.body).order_by(Event.seq))]
    assert {body["id"]: body["started_at"] for body in bodies if "started_at" in body} == {
        "3": "2026-01-31T11:00:00.000Z",
        "5": "2026-01-31T12:00:00.000Z",
    }


def test_a_start_of_another_user_or_too_long_ago_is_not_taken_for_it(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.core.events.starts.LOOK_BACK", 3)
    yard.user("ada")
    yard.user("bob")
    send(yard, item("s", "bob", state="start", time="2026-01-31T11:00:00Z"))
    send(yard, item("s", state="start", time="2026-01-31T11:00:00Z"), item("1"), item("2"))
    send(yard, item("e", state="stop", time="2026-01-31T12:00:00Z"))
    send(yard, item("f", state="stop", time="2026-01-31T12:00:00Z"))
    with yard.runtime.database.read() as session:
        query = select(Event.body).where(Event.state == "stop").order_by(Event.seq)
        starts = [json.loads(body).get("started_at") for body in session.scalars(query)]
    assert starts == ["2026-01-31T11:00:00.000Z", None]


def test_accepted_times_never_fall_even_if_the_clock_does(yard: Yard) -> None:
    yard.user()
    yard.accept("a")
    yard.change(update(Stream).values(last_accepted_at=clock.now().replace(year=2099)))
    yard.accept("b")
    with yard.runtime.database.read() as session:
        last = session.scalar(select(func.max(Event.accepted_at)))
        assert last is not None
        assert last.year == 2099


def test_cloudevents_are_accepted_in_both_modes(yard: Yard) -> None:
    yard.user()
    cloud = {"specversion": "1.0", "id": "1", "source": "/ci", "type": "t", "user": "ada"}
    one = json.dumps(cloud).encode()
    many = json.dumps([cloud, cloud | {"id": "2"}]).encode()
    assert events.accept(yard.runtime, one, form=EventForm.CLOUDEVENT, only_user=None).accepted == 1
    accepted = events.accept(yard.runtime, many, form=EventForm.CLOUDEVENTS_BATCH, only_user=None)
    assert (accepted.accepted, accepted.duplicates) == (1, 1)
