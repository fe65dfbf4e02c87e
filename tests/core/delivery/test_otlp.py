"""OpenTelemetry data goes on as OTLP to the destinations of its signal, and past all others."""

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from tests import otlp
from tests.forwarding import ACTOR, Yard
from webapp.core import dead_letters
from webapp.core.events import accept_otlp
from webapp.core.queries.dead_letters import find_dead_letter
from webapp.core.queries.events import find_event, list_events
from webapp.core.queries.places import Standing, places_of
from webapp.lib.http import Http, Request, Response
from webapp.lib.otlp import SIGNALS, Partial, write_answer
from webapp.providers.baselime import Baselime

PROTOBUF = {"content-type": "application/x-protobuf"}


@dataclass
class OtelInbox:
    """Takes exports and events, and says to each export what `say` holds next."""

    #: the address and body of every request
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    say: list[Response] = field(default_factory=list)

    def send(self, request: Request) -> Response:
        self.taken.append((request.url.removeprefix("https://"), request.body))
        return self.say.pop(0) if self.say else Response(status=200, headers=PROTOBUF)

    def texts(self, signal: str) -> list[str]:
        """The records taken of a signal, in order."""
        bodies = [body for path, body in self.taken if path == f"otel.baselime.io/v1/{signal}"]
        return [text for body in bodies for text in otlp.texts_of(signal, body)]


@pytest.fixture
def inbox() -> OtelInbox:
    return OtelInbox()


@pytest.fixture
def otel(yard: Yard, inbox: OtelInbox) -> Yard:
    """The yard with the whole provider, and an inbox for its requests."""
    runtime = replace(
        yard.runtime, providers={"baselime": Baselime(yard.runtime.settings)}, http=cast("Http", inbox)
    )
    return Yard(runtime, yard.inbox, yard.rung)


def export(yard: Yard, signal: str, *texts: str) -> Any:
    payload = otlp.export(signal, *texts).SerializeToString()
    return accept_otlp(yard.runtime, SIGNALS[signal], payload, as_json=False, user="ada", only_user=None)


def test_each_destination_takes_its_signal_and_passes_over_the_rest(otel: Yard, inbox: OtelInbox) -> None:
    environment = otel.environment(otel.user())
    ids = {
        kind: otel.forward(environment, f"baselime.{kind}") for kind in ("otlp.logs", "otlp.traces", "events")
    }
    for at in range(3):
        export(otel, "logs", f"log {at}")
        export(otel, "traces", f"span {at}")
        otel.accept(f"deploy-{at}")
    otel.drain()
    assert inbox.texts("logs") == ["log 0", "log 1", "log 2"]
    assert inbox.texts("traces") == ["span 0", "span 1", "span 2"]
    assert len(inbox.taken) == 3
    for destination_id in ids.values():
        row = otel.row(destination_id)
        assert (row.delivered, row.filtered, row.dead) == (3, 6, 0)
    otel.assert_ledgers_are_exact()


def test_an_export_that_comes_again_is_a_duplicate(otel: Yard, inbox: OtelInbox) -> None:
    otel.destination("baselime.otlp.logs")
    for _ in range(3):
        assert export(otel, "logs", "once") is None
    otel.drain()
    assert inbox.texts("logs") == ["once"]


def test_a_large_export_becomes_several_events_and_a_record_too_large_is_rejected(
    otel: Yard, inbox: OtelInbox
) -> None:
    user_id = otel.user()
    otel.forward(otel.environment(user_id), "baselime.otlp.logs")
    texts = [str(at) * 100_000 for at in range(5)]
    partial = export(otel, "logs", *texts, "x" * 300_000)
    assert partial == Partial(rejected=1, message="A record must be below 256,000 bytes as protobuf.")
    assert export(otel, "logs", *texts, "x" * 300_000) == partial
    with otel.runtime.database.read() as session:
        rows = list_events(session, user_id).rows
    assert len(rows) == 3
    otel.drain()
    assert inbox.texts("logs") == texts


def test_a_partial_success_is_delivered_and_its_words_are_kept(otel: Yard, inbox: OtelInbox) -> None:
    destination_id = otel.destination("baselime.otlp.logs")
    said = write_answer(SIGNALS["logs"], Partial(rejected=1, message="too old"), as_json=False)
    inbox.say.append(Response(status=200, headers=PROTOBUF, body=said))
    export(otel, "logs", "a", "b")
    otel.drain()
    (attempt,) = otel.attempts(destination_id)
    assert (attempt.outcome.value, attempt.words) == ("delivered", "1 of 2 records rejected: too old")
    assert otel.row(destination_id).delivered == 1


def test_a_dead_export_is_shown_and_can_be_replayed(otel: Yard, inbox: OtelInbox) -> None:
    destination_id = otel.destination("baselime.otlp.traces")
    export(otel, "traces", "witness")
    otel.drain()
    said = write_answer(SIGNALS["traces"], Partial(rejected=1, message="no such scope"), as_json=False)
    inbox.say.append(Response(status=200, headers=PROTOBUF, body=said))
    export(otel, "traces", "refused")
    otel.drain()
    (letter,) = otel.dead_letters(destination_id)
    with otel.runtime.database.write() as session:
        shown = find_dead_letter(session, None, letter.id)
        assert '"name": "refused"' in (shown.body or "")
        assert shown.reason == "1 of 1 records rejected: no such scope"
        dead_letters.replay(session, ACTOR, [letter.id])
    otel.drain()
    assert inbox.texts("traces") == ["witness", "refused", "refused"]
    assert otel.dead_letters(destination_id)[0].state.value == "replayed"
    otel.assert_ledgers_are_exact()


def test_an_export_is_shown_as_json_and_where_it_is(otel: Yard) -> None:
    user_id = otel.user()
    environment = otel.environment(user_id)
    for kind in ("baselime.events", "baselime.otlp.logs"):
        otel.forward(environment, kind)
    export(otel, "logs", "hello")
    otel.drain()
    with otel.runtime.database.read() as session:
        (row,) = list_events(session, user_id).rows
        event = find_event(session, user_id, row.id)
        standings = {place.kind: place.standing for place in places_of(session, event)}
    assert (event.type, event.source, event.subject) == ("otlp.logs", "otlp", "checkout")
    assert len(event.own_id) == 64
    assert '"stringValue": "hello"' in (event.body or "")
    assert standings == {
        "baselime.events": Standing.FILTERED,
        "baselime.otlp.logs": Standing.DELIVERED,
    }
