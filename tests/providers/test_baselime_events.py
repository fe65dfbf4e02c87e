"""Baselime's Events API: how a batch is written, and what every answer means."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from webapp.lib.http import Response
from webapp.lib.secret import Secret
from webapp.providers.baselime import events
from webapp.providers.receiving import OutgoingEvent, Setback, Target

URL = "https://events.vendor.test"
NOW = datetime(2026, 1, 31, tzinfo=UTC)


def outgoing(name: str, seq: int = 1, source: str = "app", size: int = 0) -> OutgoingEvent:
    body = json.dumps({"id": name, "source": source, "type": "t", "data": {"x": "y" * size}}).encode()
    return OutgoingEvent(seq=seq, type="t", source=source, subject=None, state=None, time=NOW, body=body)


def target(**settings: str) -> Target:
    return Target(
        kind="baselime.events",
        account_key="acme",
        environment_key="prod",
        settings={"dataset": "logs", "service": "", "namespace": "", "types": ["*"]} | settings,
        details={},
        secrets={"ingest_key": Secret("key-canary-1")},
    )


def answer(status: int, body: Any = b"", **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, body=raw, headers={k.replace("_", "-"): v for k, v in headers.items()})


BATCH: Sequence[OutgoingEvent] = [outgoing(name, seq) for seq, name in enumerate("abcd", start=1)]


def test_a_batch_is_the_array_of_the_stored_bodies_sent_to_its_dataset_with_its_key() -> None:
    encoded = events.encode(URL, BATCH, target(dataset="my-data", service="shop", namespace="eu west"))
    request = encoded.request
    assert request is not None
    assert (request.method, request.url) == ("POST", f"{URL}/v1/my-data")
    assert dict(request.headers) == {
        "content-type": "application/json",
        "x-api-key": "key-canary-1",
        "x-service": "shop",
        "x-namespace": "eu west",
    }
    assert [item["id"] for item in json.loads(request.body)] == list("abcd")
    assert encoded.count == 4


def test_a_header_that_is_not_set_is_not_sent() -> None:
    request = events.encode(URL, BATCH, target()).request
    assert request is not None
    assert set(request.headers) == {"content-type", "x-api-key"}


def test_a_batch_stays_below_six_megabytes_and_a_thousand_events() -> None:
    large = [outgoing(str(number), size=255_000) for number in range(40)]
    encoded = events.encode(URL, large, target())
    assert encoded.request is not None
    assert encoded.count == 23
    assert len(encoded.request.body) <= events.EVENTS.batch_bytes < 6_000_000
    many = [outgoing(str(number)) for number in range(1500)]
    assert events.encode(URL, many, target()).count == 1000


def test_the_repr_of_a_request_shows_no_key() -> None:
    assert "key-canary" not in repr(events.encode(URL, BATCH, target()))


@pytest.mark.parametrize(
    "taken",
    [
        answer(202, {"message": "Request Accepted"}),
        answer(202),
        answer(200, {}),
        answer(201, b"[]"),
        answer(204),
    ],
)
def test_success_takes_all(taken: Response) -> None:
    reading = events.read(taken, BATCH, target())
    assert (reading.settled, reading.rejected, reading.setback) == (4, {}, None)


@pytest.mark.parametrize(
    ("said", "setback"),
    [
        (answer(200, b"<html>proxy</html>"), Setback.TRANSIENT),
        (answer(202, b"<!doctype html>"), Setback.TRANSIENT),
        (answer(200, b"garbage"), Setback.TRANSIENT),
        (answer(400, {"message": "Bad Request"}), Setback.REFUSED),
        (answer(400, b""), Setback.REFUSED),
        (answer(400, b"<html>"), Setback.REFUSED),
        (answer(400, {"message": "Bad Request", "invalid": []}), Setback.REFUSED),
        (answer(400, {"invalid": "all"}), Setback.REFUSED),
        (answer(400, {"invalid": None}), Setback.REFUSED),
        (answer(400, [1]), Setback.REFUSED),
        (answer(401, {"message": "Unauthorised"}), Setback.KEY_REFUSED),
        (answer(403), Setback.KEY_REFUSED),
        (answer(413), Setback.TOO_LARGE),
        (answer(429), Setback.RATE_LIMITED),
        (answer(404), Setback.TRANSIENT),
        (answer(405, {"message": "Method Not Allowed"}), Setback.TRANSIENT),
        (answer(301, location="https://elsewhere.test"), Setback.TRANSIENT),
        (answer(408), Setback.TRANSIENT),
        (answer(500, {"message": "Internal Error"}), Setback.TRANSIENT),
        (answer(502, b"<html>"), Setback.TRANSIENT),
        (answer(503), Setback.TRANSIENT),
        (answer(599), Setback.TRANSIENT),
    ],
)
def test_anything_else_settles_nothing(said: Response, setback: Setback) -> None:
    reading = events.read(said, BATCH, target())
    assert (reading.settled, reading.rejected, reading.setback) == (0, {}, setback)
    assert reading.words


def body_of(at: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(BATCH[at].body)
    return found


@pytest.mark.parametrize(
    ("invalid", "indexes"),
    [
        ([body_of(1)], {1}),
        ([body_of(3), body_of(0)], {0, 3}),
        ([body_of(1), body_of(1)], {1}),
        ([{"event": body_of(2), "reason": "too old"}], {2}),
        ([{"reason": "too old", "original": json.dumps(body_of(2))}], {2}),
        ([json.dumps(body_of(2))], {2}),
        ([{"index": 3, "error": "bad"}], {3}),
        ([{"position": 0}], {0}),
        ([2], {2}),
        (["b"], {1}),
        ([{"id": "b", "message": "bad"}], {1}),
        ([body_of(at) for at in range(4)], {0, 1, 2, 3}),
        ([{"strange": at} for at in range(4)], {0, 1, 2, 3}),
        ([{"strange": at} for at in range(9)], {0, 1, 2, 3}),
    ],
)
def test_what_is_listed_as_invalid_is_rejected_and_the_rest_was_taken(
    invalid: list[Any], indexes: set[int]
) -> None:
    reading = events.read(answer(400, {"message": "Bad Request", "invalid": invalid}), BATCH, target())
    assert (reading.settled, reading.setback) == (4, None)
    assert set(reading.rejected) == indexes
    assert all(reading.rejected.values())


@pytest.mark.parametrize(
    "invalid",
    [
        [body_of(0), {"what": "is this"}],
        [{"id": "x", "source": "y"}],
        [None],
        [99, -1, True],
        [[]],
        ["{"],
    ],
)
def test_an_entry_that_names_no_event_settles_none_and_is_told_of(invalid: list[Any]) -> None:
    """Somebody was refused and nobody knows who: what is counted as taken could be lost."""
    said = answer(400, {"message": "Bad Request", "invalid": invalid})
    reading = events.read(said, BATCH, target())
    assert (reading.settled, reading.setback, reading.rejected) == (0, Setback.REFUSED, {})
    assert "entries of its list name no event" in reading.words


def test_the_vendors_reason_is_kept_with_the_event() -> None:
    said = answer(400, {"invalid": [{"event": body_of(2), "reason": "timestamp is too old"}]})
    assert events.read(said, BATCH, target()).rejected == {2: "timestamp is too old"}


def test_events_of_one_id_are_told_apart_by_their_source() -> None:
    batch = [outgoing("same", source="a"), outgoing("same", source="b"), outgoing("other")]
    entry = json.loads(batch[1].body)
    assert set(events.read(answer(400, {"invalid": [entry]}), batch, target()).rejected) == {1}
    assert events.read(answer(400, {"invalid": ["same"]}), batch, target()).setback is Setback.REFUSED


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "Internal Error"}, "Internal Error"),
        ({"error": "x"}, '{"error": "x"}'),
        (b"<html>\n <b>Bad\x00 gateway</b>", "<html> <b>Bad gateway</b>"),
        (b"", "HTTP 500"),
        (b"\xff\xfe", "��"),
        (b"x" * 5000, "x" * 300),
        ({"message": "your key key-canary-1 is bad"}, "your key *** is bad"),
    ],
)
def test_the_vendors_words_are_one_capped_line_without_the_key(body: Any, words: str) -> None:
    assert events.read(answer(500, body), BATCH, target()).words == words


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), ("0", 0.0), ("99999999999999999999", 3600.0), ("-1", None), ("soon", None), ("", None)],
)
def test_the_wish_to_wait_is_read(value: str, seconds: float | None) -> None:
    assert events.read(answer(429, retry_after=value), BATCH, target()).retry_after == seconds


def some_json(chance: random.Random, depth: int = 0) -> Any:
    """Any JSON, now and then with parts of the events that were sent."""
    leaves: list[Any] = [
        None,
        True,
        0,
        2,
        -1,
        10**30,
        1.5,
        "",
        "a",
        "b",
        "logs",
        "\ud800",
        body_of(chance.randrange(4)),
    ]
    if depth > 4 or chance.random() < 0.4:
        leaf = chance.choice(leaves)
        return json.dumps(leaf) if chance.random() < 0.1 else leaf
    if chance.random() < 0.5:
        return [some_json(chance, depth + 1) for _ in range(chance.randrange(5))]
    keys = ["invalid", "message", "id", "source", "index", "event", "reason", "error", "x"]
    return {chance.choice(keys): some_json(chance, depth + 1) for _ in range(chance.randrange(5))}


def some_body(chance: random.Random) -> bytes:
    made = json.dumps(some_json(chance)).encode()
    if chance.random() < 0.3:
        made = json.dumps({"message": "Bad Request", "invalid": some_json(chance)}).encode()
    if chance.random() < 0.2:
        at = chance.randrange(len(made))
        made = made[:at] + bytes([chance.randrange(256)]) + made[at + chance.randrange(3) :]
    return chance.choice([made, made, made, b"", b"[" * 5000, b"\xff\xfe", b"<html>", made * 50])


def test_ten_thousand_generated_answers_are_all_read_and_never_settle_too_much() -> None:
    chance = random.Random(20260131)
    for _ in range(10_000):
        status = chance.choice(
            [200, 202, 204, 301, 400, 400, 400, 401, 404, 413, 429, 500, chance.randrange(100, 600)]
        )
        headers = {"retry_after": chance.choice(["1", "x", "-1", "Sat, 31 Jan 2026 12:00:00 GMT", "9" * 30])}
        batch = BATCH[: chance.randint(1, 4)]
        reading = events.read(answer(status, some_body(chance), **headers), batch, target())
        assert 0 <= reading.settled <= len(batch)
        assert reading.settled == len(batch) or reading.setback is not None
        assert all(0 <= at < reading.settled for at in reading.rejected)
        assert all(isinstance(reason, str) and reason for reason in reading.rejected.values())
        assert len(reading.words) <= 400
        assert reading.words.isprintable()
        assert reading.retry_after is None or 0 <= reading.retry_after <= 3600
        assert status < 300 or reading.settled == 0 or status == 400
