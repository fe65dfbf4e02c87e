"""Ten thousand generated bad bodies: each is refused as documented, and nothing of any is stored."""

import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.conftest import World
from webapp.api import OPERATIONS, limits
from webapp.core.api_keys import Scope

BODIES = 10_000
SEED = 20_261_121

JSON = "application/json"
CLOUDEVENT = "application/cloudevents+json"
CLOUDEVENTS = "application/cloudevents-batch+json"

Body = tuple[bytes, dict[str, str]]


def native(chance: random.Random) -> dict[str, Any]:
    """A good event of a known user."""
    return {
        "user": "u_1",
        "id": f"e-{chance.random()}",
        "source": "ci",
        "type": chance.choice(["deployment", "alert"]),
        "subject": "checkout-api",
        "state": chance.choice(["start", "stop"]),
        "time": "2026-01-31T12:00:00+01:00",
        "data": {"version": [1, 2.5, None, True, "ü"], "nested": {"deep": {}}},
    }


def cloudevent(chance: random.Random) -> dict[str, Any]:
    """A good CloudEvent of a known user."""
    return {
        "specversion": "1.0",
        "user": "u_1",
        "id": f"c-{chance.random()}",
        "source": "/ci",
        "type": "com.example.deployed",
        "time": "2026-01-31T12:00:00Z",
        "datacontenttype": JSON,
        "data": {"version": 1},
    }


#: Values that no member of an event with a meaning of its own may have.
WRONG: tuple[Any, ...] = (
    7,
    1.5,
    True,
    [],
    {},
    [["x"]],
    {"x": 1},
    "",
    "x" * 513,
    "a\nb",
    "a\u202eb",
    -(10**39),
)


def with_a_wrong_member(chance: random.Random, item: dict[str, Any]) -> None:
    item[chance.choice(["user", "id", "source", "type", "subject", "state", "time"])] = chance.choice(WRONG)


def without_a_needed_member(chance: random.Random, item: dict[str, Any]) -> None:
    del item[chance.choice(["user", "id", "type"])]


def with_a_needed_null(chance: random.Random, item: dict[str, Any]) -> None:
    item[chance.choice(["user", "id", "type"])] = None


def with_a_stranger(chance: random.Random, item: dict[str, Any]) -> None:
    item["user"] = chance.choice(
        ["u_2", "U_1", " u_1", "00000000-0000-0000-0000-000000000000", "' OR 1=1 --"]
    )


def with_a_member_of_no_meaning(chance: random.Random, item: dict[str, Any]) -> None:
    item[chance.choice(["User", "role", "head_seq", "$ref", "__proto__", "x" * 300, "a/b~c"])] = 1


def with_a_bad_time(chance: random.Random, item: dict[str, Any]) -> None:
    bad = ["now", "2026-01-31", "2026-01-31T12:00:00", "2026-02-30T12:00:00Z", "2026-01-31T25:00:00Z"]
    bad += [
        "2026-01-31T12:00:00+25:00",
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59-23:00",
        "1769860800",
    ]
    item["time"] = chance.choice(bad)


def with_too_much(chance: random.Random, item: dict[str, Any]) -> None:
    item["data"] = {"x": "x" * chance.randint(256_000, 300_000)}


def with_unsafe_text(chance: random.Random, item: dict[str, Any]) -> None:
    item["data"] = {chance.choice(["a", "\0"]): chance.choice(["\0", "\ud800", "x\udfff"])}


def with_bad_data(chance: random.Random, item: dict[str, Any]) -> None:
    item["data"] = chance.choice([1, "x", [], True, 1.5])


def with_nan(chance: random.Random, item: dict[str, Any]) -> None:
    item["data"] = {"x": chance.choice([float("nan"), float("inf"), float("-inf")])}


def with_a_huge_number(chance: random.Random, item: dict[str, Any]) -> None:
    item["data"] = {"x": 10 ** chance.randint(40, 3000)}


def too_deep(chance: random.Random, item: dict[str, Any]) -> None:
    for _ in range(chance.randint(64, 300)):
        item["data"] = {"x": item["data"]}


OF_NATIVE = (
    with_a_wrong_member,
    without_a_needed_member,
    with_a_needed_null,
    with_a_stranger,
    with_a_member_of_no_meaning,
    with_a_bad_time,
    with_too_much,
    with_unsafe_text,
    with_bad_data,
    with_nan,
    with_a_huge_number,
    too_deep,
)

OF_CLOUDEVENTS = (
    with_a_wrong_member,
    without_a_needed_member,
    with_a_needed_null,
    with_a_stranger,
    with_a_bad_time,
    with_unsafe_text,
    with_nan,
    too_deep,
    lambda chance, item: item.update(specversion=chance.choice(["0.3", 1, None, "1.0.0"])),
    lambda chance, item: item.update({chance.choice(["traceParent", "a-b", ""]): "x"}),
    lambda chance, item: item.update(data_base64=chance.choice(["%%%", 1, "YQ=="])),
    lambda chance, item: item.update(extension=chance.choice([[], {}, 1.5, 2**31])),
)


def one_bad(chance: random.Random) -> Body:
    """Good native events around a bad one."""
    items = [native(chance) for _ in range(chance.choice([1, 1, 2, 5]))]
    chance.choice(OF_NATIVE)(chance, chance.choice(items))
    return json.dumps(items if len(items) > 1 or chance.random() < 0.5 else items[0]).encode(), {}


def one_bad_cloudevent(chance: random.Random) -> Body:
    """Good CloudEvents around a bad one."""
    items = [cloudevent(chance) for _ in range(chance.choice([1, 2, 5]))]
    chance.choice(OF_CLOUDEVENTS)(chance, chance.choice(items))
    return json.dumps(items).encode(), {"Content-Type": CLOUDEVENTS}


def another_form(chance: random.Random) -> Body:
    """Good events under the wrong name."""
    good = {JSON: native(chance), CLOUDEVENT: cloudevent(chance), CLOUDEVENTS: [cloudevent(chance)]}
    mine = chance.choice(list(good))
    named = chance.choice(
        [name for name in (*good, "text/plain", "application/xml", "*/*", "") if name != mine]
    )
    return json.dumps(good[mine]).encode(), {"Content-Type": named}


def of_a_stranger(chance: random.Random) -> bytes:
    """A good request for users who are not here."""
    items = [{**native(chance), "user": "stranger-4711"} for _ in range(chance.randint(1, 3))]
    return json.dumps(items, ensure_ascii=chance.random() < 0.5).encode()


def broken_bytes(chance: random.Random) -> Body:
    """Bytes of a request for strangers, flipped, cut, doubled or stuffed with what parsers dislike."""
    body = bytearray(of_a_stranger(chance))
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(body) + 1)
        match chance.randrange(5):
            case 0:
                body[at:at] = chance.choice(
                    [b"\0", b"\xff\xfe", b"NaN", b"[" * 70, b"\\u0000", b"\\ud800", b"1e999"]
                )
            case 1:
                del body[at : at + chance.randint(1, 20)]
            case 2:
                body[at:at] = body[max(0, at - 30) : at]
            case 3 if at < len(body):
                body[at] = chance.randrange(256)
            case _:
                body[at:at] = chance.randbytes(3)
    return bytes(body), {}


def any_json(chance: random.Random) -> Body:
    """JSON of every shape but that of an event."""

    def value(depth: int) -> Any:
        kind = chance.randrange(8 if depth < 5 else 6)
        simple = (
            None,
            True,
            chance.random() * 10**9,
            chance.randint(-(2**70), 2**70),
            "x" * chance.randrange(20),
            "",
        )
        if kind < 6:
            return simple[kind]
        if kind == 6:
            return [value(depth + 1) for _ in range(chance.randrange(4))]
        return {f"k{number}": value(depth + 1) for number in range(chance.randrange(4))}

    form = chance.choice([JSON, CLOUDEVENT, CLOUDEVENTS])
    return json.dumps(value(0)).encode(), {"Content-Type": form}


def broken_gzip(chance: random.Random) -> Body:
    """Streams that are cut, flipped, followed by more, or something else altogether."""
    packed = bytearray(gzip.compress(of_a_stranger(chance)))
    match chance.randrange(4):
        case 0:
            del packed[chance.randrange(len(packed)) :]
        case 1:
            packed[chance.randrange(len(packed))] ^= 1 << chance.randrange(8)
        case 2:
            packed += chance.randbytes(5)
        case _:
            packed = bytearray(chance.randbytes(50))
    return bytes(packed), {"Content-Encoding": "gzip"}


MAKERS: tuple[Callable[[random.Random], Body], ...] = (
    one_bad,
    one_bad,
    one_bad,
    one_bad_cloudevent,
    one_bad_cloudevent,
    another_form,
    broken_bytes,
    broken_bytes,
    any_json,
    broken_gzip,
)


def bad_bodies(count: int) -> Iterator[tuple[str, Body]]:
    """`count` bodies, always the same, each with the name of its kind."""
    chance = random.Random(SEED)
    for _ in range(count):
        maker = chance.choice(MAKERS)
        yield maker.__name__, maker(chance)


def test_ten_thousand_bad_bodies_are_refused_and_nothing_is_stored(world: World) -> None:
    world.user("u_1")
    key = world.key(Scope.EVENTS_WRITE)
    world.client.post("/api/v1/events", json=[], headers=key)  # the key's first use is noted now
    before = world.rows()
    statuses: dict[int, int] = {}
    for number, (kind, (body, headers)) in enumerate(bad_bodies(BODIES)):
        answer = world.client.post(
            "/api/v1/events", data=body, headers={"Content-Type": JSON, **headers, **key}
        )
        told = f"body {number}, {kind}: {answer.status_code} to {body[:300]!r}"
        assert answer.status_code in {400, 413, 415, 422}, told
        assert answer.content_type == "application/problem+json", told
        assert answer.status_code != 422 or answer.json["errors"], told
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
    assert world.rows() == before
    assert sum(statuses.values()) == BODIES
    assert {400, 415, 422} <= statuses.keys()


def test_the_good_events_that_bad_ones_are_made_of_are_good(world: World) -> None:
    world.user("u_1")
    key, chance = world.key(), random.Random(SEED)
    assert world.client.post("/api/v1/events", json=native(chance), headers=key).status_code == 202
    batch = json.dumps([cloudevent(chance)]).encode()
    answer = world.client.post("/api/v1/events", data=batch, headers={"Content-Type": CLOUDEVENTS, **key})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    "operation",
    [operation for operation in OPERATIONS if operation.body],
    ids=lambda operation: operation.name,
)
def test_bad_bodies_change_nothing_anywhere_else(
    world: World, operation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_usual", limits.Buckets(1e9, 1e9))
    held = world.connect(world.user("u_1"))
    key = world.key()
    address = "/api/v1" + operation.path.replace("<uuid:destination_id>", str(held.destination))
    before = copy.deepcopy(world.rows())
    for _, (body, headers) in bad_bodies(500):
        answer = world.client.post(address, data=body, headers={"Content-Type": JSON, **headers, **key})
        assert answer.status_code in {400, 413, 415, 422}, body[:300]
    assert world.rows() == before
