"""A race: writers that dawdle and give up, cursor readers beside them, and a count of all that went wrong.

`python -m tests.faults.race --seconds 60` runs it on SQLite and PostgreSQL and prints what it saw.
"""

import argparse
import itertools
import random
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from tests.forwarding import Yard, opened_yard
from tests.services import postgres
from webapp.core.events import storing
from webapp.core.events.drafts import Draft
from webapp.core.events.forms import Item
from webapp.core.events.native import read_native
from webapp.core.streams import rows
from webapp.core.streams.pages import Gap, read_page
from webapp.lib.database import Database
from webapp.models import Event, Stream

WRITERS, STREAMS = 8, 3


class RolledBack(Exception):
    """A writer that gives up in the middle of its transaction."""


@dataclass
class Race:
    """Writers and cursor readers on the same streams, and all that went wrong."""

    database: Database
    stream_ids: list[UUID]
    acked: dict[UUID, list[int]] = field(default_factory=lambda: defaultdict(list))
    read: dict[UUID, list[int]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)
    writing: threading.Event = field(default_factory=threading.Event)

    def run(self, seconds: float) -> None:
        self.writing.set()
        with ThreadPoolExecutor(WRITERS + STREAMS) as pool:
            readers = [pool.submit(self.follow, stream_id) for stream_id in self.stream_ids]
            writers = [pool.submit(self.write, number, seconds) for number in range(WRITERS)]
            for writer in writers:
                writer.result(seconds + 60)
            self.writing.clear()
            for reader in readers:
                reader.result(60)

    def write(self, number: int, seconds: float) -> None:
        end, chance = time.monotonic() + seconds, random.Random(number)
        for count in itertools.count():
            if time.monotonic() > end:
                return
            streams = chance.choices(self.stream_ids, k=chance.randint(1, 3))
            drafts = [draft(f"{number}-{count}-{at}") for at in range(len(streams))]
            try:
                stored = storing.store(self.database, [storing.Batch(drafts, streams)])[0]
            except RolledBack:
                continue
            except DBAPIError as error:
                self.faults.append(f"a writer failed: {type(error.orig).__name__}")
                continue
            for stream_id, seq in stored.places:
                self.acked[stream_id].append(seq)

    def follow(self, stream_id: UUID) -> None:
        cursor = 0
        while True:
            last_round = not self.writing.is_set()
            try:
                with self.database.read() as session:
                    page = read_page(session, stream_id, cursor, rows=500, wants=None)
            except Gap:
                self.faults.append("a reader found a gap")
                return
            self.read[stream_id] += [event.seq for event in page.wanted]
            cursor = page.last_seq
            if last_round and cursor >= page.head_seq:
                return

    def check(self) -> list[str]:
        """Everything that is wrong at the end."""
        with self.database.read() as session:
            for stream_id in self.stream_ids:
                kept = list(session.scalars(select(Event.seq).where(Event.stream_id == stream_id)))
                if sorted(self.read[stream_id]) != sorted(kept):
                    self.faults.append(f"{len(kept)} events are kept, {len(self.read[stream_id])} were read")
                if self.read[stream_id] != sorted(self.read[stream_id]):
                    self.faults.append("events were read out of order")
                if sorted(self.acked[stream_id]) != sorted(kept):
                    self.faults.append(
                        f"{len(kept)} events are kept, {len(self.acked[stream_id])} were promised"
                    )
                head = session.get_one(Stream, stream_id).head_seq
                if sorted(kept) != list(range(1, head + 1)):
                    self.faults.append(f"{len(kept)} events up to head {head}")
        return self.faults


def draft(name: str) -> Draft:
    made = read_native(Item("", {"id": name, "type": "t"}), datetime.now(UTC))
    assert isinstance(made, Draft)
    return made


def slow_and_unsteady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transactions dawdle between taking a seq and committing it, and every tenth gives up."""
    write = storing._Writer.write

    def dawdle(self: Any, connection: Connection) -> bool:
        written = write(self, connection)
        time.sleep(random.random() * 0.01)
        if random.random() < 0.1:
            raise RolledBack
        return written

    monkeypatch.setattr(storing._Writer, "write", dawdle)


def a_race(yard: Yard) -> Race:
    users = [yard.user(f"user-{number}") for number in range(STREAMS)]
    streams = rows.ensure_all(yard.runtime.database, users)
    return Race(yard.runtime.database, list(streams.values()))


@contextmanager
def _databases() -> Iterator[dict[str, str]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(postgres.Cluster(postgres.find_programs())) as cluster,
    ):
        cluster.start()
        yield {"SQLite": f"sqlite:///{Path(folder) / 'hitchpost.db'}", "PostgreSQL": cluster.url}


def main() -> None:
    """Run it on both and say what was found; status 1 if any reader missed an event or read out of order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds, faults = parser.parse_args().seconds, 0
    with _databases() as urls, pytest.MonkeyPatch.context() as monkeypatch:
        slow_and_unsteady(monkeypatch)
        for name, url in urls.items():
            with opened_yard(url) as yard:
                race = a_race(yard)
                race.run(seconds)
                found = race.check()
            events = sum(map(len, race.read.values()))
            sys.stdout.write(f"{name}: {WRITERS} writers, {seconds:g} s, {events:,} events read in order\n")
            sys.stdout.writelines(f"  ✗ {fault}\n" for fault in found)
            faults += len(found)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
