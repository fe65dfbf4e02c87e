"""A preview is what a turn would send, with its secrets hidden, and leaves no trace."""

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tests.forwarding import Yard
from webapp.core import credentials, delivery
from webapp.core.delivery import Preview, previewing
from webapp.core.queries.events import find_event
from webapp.errors import Conflict, Invalid, NotFound
from webapp.lib.http import Request, Response
from webapp.models import Base, Destination
from webapp.providers.receiving import Encoded

CANARY = "canary-ingest-key"


@pytest.fixture
def environment_id(yard: Yard) -> UUID:
    return yard.environment(yard.user(), key=CANARY)


def look(yard: Yard, environment_id: UUID, kind: str = "baselime.events", **settings: Any) -> Preview:
    return delivery.preview(yard.runtime, environment_id, kind, settings)


def test_it_is_the_request_that_goes_out_but_for_the_secrets(
    yard: Yard, environment_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "service": "shop",
        "where": "data.n != 2",
        "mapping": "data.n -> data.count\n- data.secret",
        "types": "deploy*",
    }
    for number in (1, 2):
        yard.accept(f"e{number}", data={"n": str(number), "secret": "s"})
    yard.accept("other", type="alert", data={"n": "9"})
    made = look(yard, environment_id, **settings)
    assert made.request is not None
    assert (made.looked_at, made.wanted, made.type, made.reason) == (3, 1, "deployment", None)
    with yard.runtime.database.read() as session:
        assert find_event(session, None, made.event_id or "").own_id == "e1"
    yard.forward(environment_id, backfill=True, **settings)
    sent: list[Request] = []
    monkeypatch.setattr(yard.inbox, "send", lambda request: sent.append(request) or Response(status=202))
    yard.drain()
    (real,) = sent
    assert (made.request.method, made.request.url) == (real.method, real.url)
    assert made.request.body.encode() == real.body
    assert made.request.body_bytes == len(real.body)
    assert dict(made.request.headers) == {**real.headers, "x-api-key": "***"}
    assert real.headers["x-api-key"] == CANARY


def test_it_opens_no_key_sends_nothing_and_keeps_nothing(
    yard: Yard, environment_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard.forward(environment_id)
    yard.accept("a")

    def fail(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(credentials, "open_parts", fail)
    monkeypatch.setattr(yard.inbox, "send", fail)
    before = everything(yard)
    made = look(yard, environment_id, dataset="other", where="data absent")
    assert CANARY not in repr(made)
    assert everything(yard) == before


def everything(yard: Yard) -> list[Any]:
    with yard.runtime.database.read() as session:
        counts = [session.scalar(select(func.count()).select_from(t)) for t in Base.metadata.sorted_tables]
        return [counts, [tuple(row) for row in session.execute(select(Destination.__table__))]]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"types": "alert"}, "no pattern takes the type deployment"),
        ({"where": "data.n = 2"}, "wanted only where data.n = 2"),
    ],
)
def test_what_would_not_be_sent_says_why(
    yard: Yard, environment_id: UUID, settings: dict[str, Any], reason: str
) -> None:
    yard.accept("a", data={"n": "1"})
    made = look(yard, environment_id, **settings)
    assert (made.request, made.reason, made.looked_at, made.wanted) == (None, reason, 1, 0)


def test_what_a_mapping_makes_too_large_says_so(
    yard: Yard, environment_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previewing, "MAX_EVENT_BYTES", 100)
    made = look(yard, environment_id, mapping="data.a = b")
    assert made.request is None
    assert "an event must be below 100" in (made.reason or "")


def test_before_the_first_event_a_sample_stands_in(yard: Yard, environment_id: UUID) -> None:
    made = look(yard, environment_id, mapping="data.team = payments")
    assert made.request is not None
    ((sample),) = json.loads(made.request.body)
    assert (sample["id"], sample["data"]["team"]) == ("sample", "payments")
    assert (made.event_id, made.looked_at) == (None, 0)


def test_only_the_latest_events_are_looked_at(yard: Yard, environment_id: UUID) -> None:
    yard.accept("wanted", type="alert")
    yard.accept(*[f"e{number}" for number in range(previewing.LOOKED_AT)])
    made = look(yard, environment_id, types="alert")
    assert (made.request, made.looked_at, made.wanted) == (None, previewing.LOOKED_AT, 0)


def test_bad_settings_and_what_is_not_there_are_refused(yard: Yard, environment_id: UUID) -> None:
    with pytest.raises(Invalid) as caught:
        look(yard, environment_id, where="data.a is b")
    assert [fault.where for fault in caught.value.faults] == ["where"]
    with pytest.raises(Conflict, match=r"this instance knows no nobody\.events"):
        look(yard, environment_id, "nobody.events")
    with pytest.raises(NotFound):
        look(yard, UUID(int=0))


def test_http_basic_is_hidden_as_a_whole(
    yard: Yard, environment_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    basic = Request(
        method="PUT", url="https://x.test/", headers={"authorization": "Basic Kjo="}, body=b"\x0a"
    )
    vendor = yard.runtime.providers["baselime"]
    monkeypatch.setattr(vendor, "encode", lambda *_: Encoded(request=basic, count=1), raising=False)
    made = look(yard, environment_id)
    assert made.request is not None
    assert made.request.headers == (("authorization", "Basic ***"),)


def test_what_the_encoder_passes_over_says_so(
    yard: Yard, environment_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = yard.runtime.providers["baselime"]
    monkeypatch.setattr(vendor, "encode", lambda *_: Encoded(request=None, count=1), raising=False)
    assert look(yard, environment_id).reason == "this destination finds nothing to send in it"
