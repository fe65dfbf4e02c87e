"""What accepting asks a database is answered by an index, however much waits."""

import json
import re
import time
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import Connection, event, select

from tests.forwarding import Yard
from webapp.core import events
from webapp.core.events import EventForm, statements, storing
from webapp.core.streams import rows
from webapp.lib.database import run_on_sqlite
from webapp.models import Event, Stream


def test_no_statement_of_accepting_reads_all_events(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.user()
    asked: list[tuple[str, Any]] = []
    engine = yard.runtime.database.engine
    event.listen(engine, "before_cursor_execute", lambda _c, _k, text, given, *_: asked.append((text, given)))

    def run(connection: Connection, text: str, given: Any = ()) -> Any:
        asked.append((text, given))
        return run_on_sqlite(connection, text, given)

    for module in (statements, rows):
        monkeypatch.setattr(module, "run_on_sqlite", run)
    items = [{"user": "ada", "id": str(at), "type": "t", "state": "stop"} for at in range(3)]
    for _ in range(2):  # the second time they are repeats, and looked for
        events.accept(yard.runtime, json.dumps(items).encode(), form=EventForm.NATIVE, only_user=None)
    reads = [one for one in asked if one[0].startswith("SELECT") and "events" in one[0].split("WHERE")[0]]
    assert len({text for text, _ in reads}) == 2
    moves = [one for one in asked if one[0].startswith("UPDATE")]
    with engine.connect() as connection:
        plans = [explain(connection, text, given) for text, given in reads + moves]
    assert not [plan for plan in plans if _READS_ALL.search(plan)]


#: What SQLite says of the pairs and lists that are given with the statement is no scan of a table.
_READS_ALL = re.compile(r"SCAN (?!wanted|json_each|\d+ CONSTANT)|Seq Scan")


def test_a_hundred_events_of_several_people_are_stored_whole_and_in_their_order(yard: Yard) -> None:
    people = [yard.user(name) for name in ("ada", "bob", "eve")]
    named = [("ada", "bob", "eve")[at % 3] for at in range(100)]
    items = [{"user": name, "id": f"é{at}", "type": "t"} for at, name in enumerate(named)]
    events.accept(yard.runtime, json.dumps(items).encode(), form=EventForm.NATIVE, only_user=None)
    with yard.runtime.database.read() as session:
        stored = session.execute(
            select(Stream.user_id, Event.seq, Event.body, Event.bytes_in, Stream.head_seq, Stream.bytes_in)
            .join(Stream, Stream.id == Event.stream_id)
            .order_by(Stream.user_id, Event.seq)
        ).all()
    for person, name in zip(people, ("ada", "bob", "eve"), strict=True):
        own = [row for row in stored if row[0] == person]
        assert [json.loads(row[2])["id"] for row in own] == [
            f"é{at}" for at in range(100) if named[at] == name
        ]
        assert [row[1] for row in own] == list(range(1, own[0][4] + 1))
        assert own[-1][3] == own[-1][5] == sum(len(row[2]) for row in own)


def test_repeats_are_looked_for_only_while_there_are_some(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard.user()
    looked = Mock(side_effect=statements.find_known)
    monkeypatch.setattr(storing, "find_known", looked)
    yard.accept("a", "b")
    assert looked.call_count == 0
    yard.accept("b", "c")
    assert looked.call_count == 1
    yard.accept("d")
    assert looked.call_count == 2
    later = time.monotonic() + storing._LOOKED_SECONDS
    monkeypatch.setattr(storing, "time", Mock(monotonic=lambda: later))
    yard.accept("e")
    assert looked.call_count == 2


def explain(connection: Connection, query: str, given: Any) -> str:
    if connection.dialect.name == "sqlite":
        return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", given).all())
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # it reads small tables as a whole
    return str(connection.exec_driver_sql(f"EXPLAIN {query}", given).all())
