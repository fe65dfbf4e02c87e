"""Making a destination and changing it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from tests.forwarding import ACTOR, Yard, status
from webapp.core import connections, destinations
from webapp.core.destinations.settings import check
from webapp.errors import Conflict, Invalid, NotFound
from webapp.models import AuditLine, Destination, Environment, Hold
from webapp.providers.baselime.events import EVENTS
from webapp.providers.forms import FieldKind, FormField
from webapp.providers.receiving import DestinationKind
from webapp.providers.registry import KINDS


def test_a_new_destination_begins_now_and_past_events_stay_away(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    yard.accept("before")
    destination_id = yard.forward(environment_id)
    assert yard.row(destination_id).due_at is None
    yard.accept("after")
    yard.drain()
    assert yard.inbox.ids == ["after"]
    row = yard.row(destination_id)
    assert (row.origin_seq, row.cursor_seq) == (1, 2)
    yard.assert_ledgers_are_exact()


def test_with_a_backfill_it_begins_with_the_first_event_kept(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    yard.accept("a", "b")
    destination_id = yard.forward(environment_id, backfill=True)
    yard.accept("c")
    yard.drain()
    assert yard.inbox.ids == ["a", "b", "c"]
    assert yard.row(destination_id).exempt_seq == 2
    yard.assert_ledgers_are_exact()


def test_a_user_without_events_can_have_a_destination(yard: Yard) -> None:
    destination_id = yard.destination()
    assert yard.row(destination_id).cursor_seq == 0


def test_settings_are_stored_with_their_defaults_and_told_on_the_timeline(yard: Yard) -> None:
    destination_id = yard.destination(service=" shop ", types="deploy*, alert  alert")
    assert yard.row(destination_id).settings == {
        "dataset": "logs",
        "service": "shop",
        "namespace": "",
        "types": ["deploy*", "alert"],
    }
    with yard.runtime.database.read() as session:
        line = session.scalars(select(AuditLine)).one()
    assert (line.act, line.actor) == ("destination.made", "user:test")
    assert line.connection_id == yard.connection(destination_id).id
    assert line.detail is not None
    assert "service: shop" in line.detail


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"dataset": "with space"}, "dataset"),
        ({"dataset": "../v2"}, "dataset"),
        ({"dataset": "x" * 129}, "dataset"),
        ({"dataset": 5}, "dataset"),
        ({"service": "naïve"}, "service"),
        ({"service": "a\r\nx-api-key: b"}, "service"),
        ({"service": "x" * 257}, "service"),
        ({"types": 5}, "types"),
        ({"types": [5]}, "types"),
        ({"types": ["a\x00"]}, "types"),
        ({"types": [""]}, "types"),
        ({"types": ["x" * 513]}, "types"),
        ({"types": [str(number) for number in range(51)]}, "types"),
        ({"datset": "logs"}, "datset"),
        ({"where": "data.a"}, "where"),
        ({"where": 5}, "where"),
        ({"where": ["data.a = b", 5]}, "where"),
        ({"where": "# x\n" * 2_049}, "where"),
        ({"mapping": "- id"}, "mapping"),
        ({"fresh_for": "soon"}, "fresh_for"),
    ],
)
def test_a_bad_setting_is_named_by_its_field(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        check(EVENTS, settings)
    assert [fault.where for fault in caught.value.faults] == [field]


def test_a_setting_with_a_grammar_is_stored_as_lines_and_only_when_it_says_something() -> None:
    for lines in ("data.a = b\r\n# c\r\n", ["data.a = b", "# c"]):
        assert check(EVENTS, {"where": lines})["where"] == "data.a = b\n# c"
    plain = check(EVENTS, {"where": " \n", "mapping": [], "fresh_for": ""})
    assert plain.keys().isdisjoint({"where", "mapping", "fresh_for"})


@pytest.mark.parametrize("name", ["types", "where", "mapping"])
def test_what_is_passed_on_as_it_came_can_neither_be_chosen_nor_mapped_and_says_so(name: str) -> None:
    logs = KINDS["baselime.otlp.logs"]
    assert check(logs, {"fresh_for": "1 h"})["fresh_for"] == "1 h"
    with pytest.raises(Invalid) as caught:
        check(logs, {name: "x"})
    (fault,) = caught.value.faults
    assert fault.where == name
    assert fault.what.startswith("is not available here: Baselime OpenTelemetry logs takes every otlp.logs")


def test_every_kind_of_field_is_checked() -> None:
    kind = DestinationKind(
        name="x.y",
        title="X",
        credential_kind="ingest_key",
        settings=(
            FormField(name="flag", label="Flag", kind=FieldKind.FLAG),
            FormField(name="choice", label="Choice", kind=FieldKind.CHOICE, choices=(("a", "A"), ("b", "B"))),
        ),
        batch_bytes=1,
        batch_events=1,
    )
    assert check(kind, {"flag": True, "choice": "b"}) == {"flag": True, "choice": "b"}
    with pytest.raises(Invalid) as caught:
        check(kind, {"flag": "yes", "choice": "c"})
    assert [fault.where for fault in caught.value.faults] == ["flag", "choice"]
    with pytest.raises(Invalid, match="is missing"):
        check(kind, {})


def test_an_environment_has_one_destination_of_a_kind(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    yard.forward(environment_id)
    with pytest.raises(Conflict, match="already"):
        yard.forward(environment_id)
    yard.forward(environment_id, "baselime.single")


def test_made_twice_at_the_same_moment_it_is_there_once(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    start = threading.Barrier(4)

    def make() -> bool:
        start.wait(10)
        try:
            yard.forward(environment_id)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(future.result(30) for future in [pool.submit(make) for _ in range(4)]) == 1


def test_an_unknown_kind_or_environment_is_not_found(yard: Yard) -> None:
    user_id = yard.user()
    with pytest.raises(NotFound):
        yard.forward(yard.environment(user_id), "nobody.events")
    with pytest.raises(NotFound):
        yard.forward(user_id)


def test_a_connection_that_ended_takes_no_destination(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    destination_id = yard.forward(environment_id)
    connections.disconnect(yard.runtime, ACTOR, yard.connection(destination_id).id)
    with pytest.raises(Conflict, match="ended"):
        yard.forward(environment_id, "baselime.single")


def test_under_a_paused_connection_it_begins_paused(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    first = yard.forward(environment_id)
    connection_id = yard.connection(first).id
    with yard.runtime.database.write() as session:
        connections.pause(session, ACTOR, connection_id)
    second = yard.forward(environment_id, "baselime.single")
    assert yard.row(second).hold is Hold.PAUSED
    with yard.runtime.database.write() as session:
        connections.resume(session, ACTOR, connection_id)
    assert yard.row(second).hold is None


def change(yard: Yard, destination_id: Any, **settings: Any) -> Destination:
    with yard.runtime.database.write() as session:
        return destinations.change_settings(session, ACTOR, destination_id, settings)


def test_new_settings_count_from_the_next_request_on(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a")
    yard.drain()
    assert change(yard, destination_id, dataset="logs", types="other").settings_version == 2
    yard.accept("b")
    yard.accept("c", type="other")
    yard.drain()
    assert yard.inbox.ids == ["a", "c"]
    yard.assert_ledgers_are_exact()


def test_the_same_settings_change_nothing(yard: Yard) -> None:
    destination_id = yard.destination(types="a")
    assert change(yard, destination_id, types=["a"]).settings_version == 1


def test_new_settings_are_tried_at_once_by_a_destination_that_was_failing(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.inbox.always = status(400, b"no such dataset")
    yard.accept("a")
    yard.drain(hastened=2)
    assert yard.row(destination_id).failures == 3
    yard.inbox.always = None
    change(yard, destination_id, dataset="right")
    row = yard.row(destination_id)
    assert (row.failures, row.reason, row.failing_since, row.batch_limit) == (0, None, None, None)
    yard.drain()
    assert yard.inbox.ids == ["a"]


def test_settings_changed_during_a_request_that_fails_are_tried_at_once(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a")
    yard.inbox.say = [status(400, b"no such dataset")]
    changes = iter(["right"])
    yard.inbox.during = lambda: [change(yard, destination_id, dataset=name) for name in changes] and None
    yard.drain()
    assert yard.inbox.ids == ["a"]
    assert len(yard.inbox.requests) == 2


@pytest.mark.parametrize(
    ("hold", "left"), [(Hold.FAILING, None), (Hold.PAUSED, Hold.PAUSED), (Hold.KEY_REFUSED, Hold.KEY_REFUSED)]
)
def test_new_settings_release_what_was_failing_and_nothing_else(
    yard: Yard, hold: Hold, left: Hold | None
) -> None:
    destination_id = yard.destination()
    with yard.runtime.database.write() as session:
        destinations.hold(session, destination_id, hold, "why")
    change(yard, destination_id, dataset="right")
    row = yard.row(destination_id)
    assert row.hold is left
    assert (row.due_at is None) == (left is not None)


def test_what_can_be_sent_to_an_environment_is_what_its_provider_takes(yard: Yard) -> None:
    environment_id = yard.environment(yard.user())
    with yard.runtime.database.read() as session:
        environment = session.get_one(Environment, environment_id)
    kinds = destinations.kinds_for(yard.runtime, environment)
    assert [kind.name for kind in kinds] == ["baselime.events", "baselime.single"]


def test_a_closed_destination_is_changed_no_more(yard: Yard) -> None:
    destination_id = yard.destination()
    connections.disconnect(yard.runtime, ACTOR, yard.connection(destination_id).id)
    with pytest.raises(Conflict):
        change(yard, destination_id, dataset="x")
    with pytest.raises(Conflict), yard.runtime.database.write() as session:
        destinations.release(session, ACTOR, destination_id)
    with pytest.raises(Conflict), yard.runtime.database.write() as session:
        destinations.rewind(session, ACTOR, destination_id, to_seq=1)
