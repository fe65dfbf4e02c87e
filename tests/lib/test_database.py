"""Both databases keep the same promises: no lost update, one clock, aware times."""

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, bindparam, insert, select, text, update
from sqlalchemy.exc import StatementError

from webapp.lib.database import Database, FairLock, db_time, db_time_after
from webapp.lib.times import UTCDateTime, rfc3339

METADATA = MetaData()
COUNTERS = Table("counters", METADATA, Column("id", Integer, primary_key=True), Column("n", Integer))
MOMENTS = Table("moments", METADATA, Column("id", Integer, primary_key=True), Column("at", UTCDateTime))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(Database(database_url)) as opened:
        METADATA.create_all(opened.engine)
        yield opened


def test_no_update_is_lost_between_writers(database: Database) -> None:
    with database.write() as session:
        session.execute(insert(COUNTERS).values(id=1, n=0))

    def count() -> None:
        for _ in range(25):
            with database.write() as session:
                row = select(COUNTERS.c.n).where(COUNTERS.c.id == 1).with_for_update()
                n = session.execute(row).scalar_one()
                session.execute(update(COUNTERS).values(n=n + 1))

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.execute(select(COUNTERS.c.n)).scalar_one() == 200


def test_an_error_rolls_the_whole_transaction_back(database: Database) -> None:
    with pytest.raises(StatementError), database.write() as session:
        session.execute(insert(COUNTERS), [{"id": 1, "n": 0}, {"id": 1, "n": 0}])
    with database.read() as session:
        assert session.execute(select(COUNTERS)).all() == []


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    with database.write() as session:
        session.execute(insert(COUNTERS).values(id=1, n=0))
        with database.read() as other:
            assert other.execute(select(COUNTERS)).all() == []


def test_the_clock_of_the_database_is_now_and_counts_in_seconds(database: Database) -> None:
    with database.read() as session:
        present, later = session.execute(select(db_time(), db_time(90.5))).one()
    assert abs(present - datetime.now(UTC)) < timedelta(seconds=5)
    assert timedelta(seconds=90) < later - present < timedelta(seconds=91)


def test_seconds_are_counted_from_a_moment_to_come_and_never_from_the_past(database: Database) -> None:
    coming = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=123456)
    with database.write() as session:
        rows = [{"id": 1, "at": coming}, {"id": 2, "at": coming - timedelta(days=1)}]
        session.execute(insert(MOMENTS).values(rows))
        after = select(db_time_after(MOMENTS.c.at, bindparam("seconds")), db_time()).order_by(MOMENTS.c.id)
        (late, _), (soon, present) = session.execute(after, {"seconds": 90.5}).all()
    assert late - coming == timedelta(seconds=90.5)
    assert timedelta(seconds=90) < soon - present < timedelta(seconds=91)


def test_times_are_stored_in_utc_come_back_aware_and_sort(database: Database) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with database.write() as session:
        session.execute(insert(MOMENTS).values([{"id": 1, "at": noon}]))
        stored = session.execute(select(MOMENTS.c.at)).scalar_one()
        past = session.execute(select(MOMENTS.c.id).where(MOMENTS.c.at < db_time())).all()
    assert (stored, stored.utcoffset()) == (noon, timedelta(0))
    assert past == [(1,)]


def test_a_naive_time_is_refused(database: Database) -> None:
    naive = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - the fault itself
    with pytest.raises(StatementError, match="naive"), database.write() as session:
        session.execute(insert(MOMENTS).values(id=1, at=naive))


def test_sqlite_writes_ahead_and_syncs_fully(tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{tmp_path}/x.db")) as database, database.read() as session:
        pragmas = {
            name: session.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_an_error_of_the_database_does_not_tell_its_parameters(database: Database) -> None:
    with pytest.raises(Exception) as caught, database.write() as session:  # noqa: PT011 - any driver's error
        session.execute(text("INSERT INTO nowhere VALUES (:secret)"), {"secret": "canary-9"})
    assert "canary-9" not in str(caught.value)


def test_the_fair_lock_serves_its_waiters_in_the_order_they_came() -> None:
    lock, order, ready = FairLock(), [], [threading.Event() for _ in range(5)]

    def wait(number: int) -> None:
        ready[number].set()
        with lock:
            order.append(number)

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(5)]
    with lock:
        for number, thread in enumerate(threads):
            thread.start()
            ready[number].wait()
            while len(lock._waiters) <= number:
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_times_are_told_as_rfc_3339() -> None:
    assert rfc3339(datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)) == "2026-01-02T03:04:05.678Z"


def test_a_connection_that_died_while_it_lay_idle_is_replaced(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.lib.database._BELIEVED_SECONDS", 0.0)
    with closing(Database(postgres_url)) as database, closing(Database(postgres_url)) as other:
        with database.read() as session:
            pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with other.read() as session:
            session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        with database.read() as session:
            assert session.execute(text("SELECT pg_backend_pid()")).scalar_one() != pid
