"""Dead letters are found by a part of their reason, and all of them come as a file."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.core.queries.conftest import Made, make, store
from webapp.core.queries import dead_letter_export
from webapp.core.queries.dead_letter_export import export_dead_letters
from webapp.core.queries.dead_letters import DeadLetterQuery, list_dead_letters
from webapp.lib.database import Database
from webapp.lib.plain_json import compact
from webapp.models import DeadLetter, DeadLetterState

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def letter(made: Made, seq: int, **more: Any) -> DeadLetter:
    values = {
        # In the order of their events: ids of one millisecond are in none.
        "id": UUID(f"01900000-0000-7000-8000-{made.destination.id.hex[-8:]}{seq:04x}"),
        "destination_id": made.destination.id,
        "seq": seq,
        "type": "deployment",
        "reason": "Bad Request",
        "body": b'{"id":"e%d"}' % seq,
    }
    return DeadLetter(**values | more)


def stored(database: Database, made: Made, *letters: DeadLetter) -> None:
    with database.write() as session:
        store(session, made)
        session.add_all(letters)


@pytest.mark.parametrize(
    ("search", "seqs"),
    [
        ("too LARGE", [2]),
        ("alert", [3]),
        ("100%", [4]),
        ("%", [4]),
        ("_", []),
        ("nowhere", []),
        (None, [4, 3, 2, 1]),
    ],
)
def test_a_part_of_a_type_or_a_reason_finds_them(
    database: Database, search: str | None, seqs: list[int]
) -> None:
    made = make("ada")
    odd = (letter(made, 2, reason="is Too large"), letter(made, 3, type="alert.fired"))
    stored(database, made, letter(made, 1), *odd, letter(made, 4, reason="is 100% wrong"))
    with database.read() as session:
        rows = list_dead_letters(session, DeadLetterQuery(owner_id=made.user.id, search=search)).rows
    assert [row.seq for row in rows] == seqs


@pytest.mark.parametrize(
    ("choice", "seqs"),
    [
        ({"event": "deploy-2"}, [2]),
        ({"event": "deploy-"}, []),
        ({"event": 'a "quoted" \u00e9'}, [3]),
        ({"event": "<stream>-4"}, [4]),
        ({"event": "<stream>-5"}, []),
        ({"event": f"{'0' * 32}-4"}, []),
        ({"since": NOON}, [4, 3]),
        ({"until": NOON}, [3, 2, 1]),
        ({"since": NOON, "until": NOON}, [3]),
        ({"since": NOON, "event": "deploy-2"}, []),
    ],
)
def test_an_event_and_the_time_of_death_find_them(
    database: Database, choice: dict[str, Any], seqs: list[int]
) -> None:
    made = make("ada")
    if "event" in choice:
        choice = choice | {"event": choice["event"].replace("<stream>", made.stream.id.hex)}
    bodies = {2: "deploy-2", 3: 'a "quoted" \u00e9'}
    letters = [
        letter(
            made,
            seq,
            created_at=NOON + timedelta(hours=seq - 3),
            body=compact({"id": bodies.get(seq, f"e{seq}"), "source": "app"}),
        )
        for seq in (1, 2, 3, 4)
    ]
    stored(database, made, *letters)
    query = DeadLetterQuery(owner_id=made.user.id, **choice)
    with database.read() as session:
        assert [row.seq for row in list_dead_letters(session, query).rows] == seqs
    exported = [json.loads(line)["seq"] for line in export_dead_letters(database, query)]
    assert exported == sorted(seqs)


def test_an_export_has_every_line_with_its_event_oldest_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letter_export, "_BATCH_LETTERS", 2)
    made, other = make("ada"), make("bob")
    odd = letter(made, 4, body=b"no JSON", witness="Others were taken.", state=DeadLetterState.DISCARDED)
    stored(database, made, *[letter(made, seq) for seq in (1, 2, 3)], odd)
    stored(database, other, letter(other, 1))
    lines = [
        json.loads(line) for line in export_dead_letters(database, DeadLetterQuery(owner_id=made.user.id))
    ]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4]
    assert [line["body"] for line in lines] == [{"id": "e1"}, {"id": "e2"}, {"id": "e3"}, "no JSON"]
    assert (lines[3]["witness"], lines[3]["state"]) == ("Others were taken.", "discarded")
    assert lines[0]["event"] == f"{made.stream.id.hex}-1"
    only_open = DeadLetterQuery(owner_id=None, state=DeadLetterState.OPEN, destination_id=made.destination.id)
    assert len(list(export_dead_letters(database, only_open))) == 3
