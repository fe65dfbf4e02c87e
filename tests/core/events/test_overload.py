"""A database that cannot take events now: a clear refusal, nothing half-done, and well again by itself."""

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tests.forwarding import Yard, opened_yard
from tests.services.postgres import Cluster
from webapp.core.events import accepting
from webapp.errors import Overloaded

_LOCK_ADAS_STREAM = """
    SELECT 1 FROM streams JOIN users ON users.id = user_id WHERE external_id = 'ada' FOR UPDATE
"""


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("x", {}, sqlite3.OperationalError("database is locked")),
        OperationalError("x", {}, sqlite3.OperationalError("database or disk is full")),
        OperationalError("x", {}, sqlite3.OperationalError("attempt to write a readonly database")),
        OperationalError("x", {}, sqlite3.OperationalError("disk I/O error")),
        PoolTimeout("no connection in 5 s"),
    ],
)
def test_what_is_the_databases_fault_says_try_again(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> object:
        raise error

    yard.user()
    monkeypatch.setattr(accepting, "find_streams", refuse)
    with pytest.raises(Overloaded) as caught:
        yard.accept("a")
    assert caught.value.retry_after > 0
    assert "nothing was stored" in str(caught.value)
    monkeypatch.undo()
    assert len(yard.accept("a")) == 1


def test_what_is_our_own_fault_is_not_hidden(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> object:
        raise IntegrityError("x", {}, sqlite3.IntegrityError("NOT NULL constraint failed"))

    monkeypatch.setattr(accepting, "find_streams", refuse)
    with pytest.raises(IntegrityError):
        yard.accept("a")


def test_a_stream_that_somebody_locks_refuses_its_own_events_within_seconds_and_no_others(
    postgres_url: str,
) -> None:
    with opened_yard(postgres_url) as yard:
        yard.user("ada")
        yard.user("bob")
        yard.accept("first", user="ada")
        yard.accept("first", user="bob")
        locker = create_engine(postgres_url)
        with closing(locker.connect()) as held, ThreadPoolExecutor(2) as pool:
            held.execute(text(_LOCK_ADAS_STREAM))
            start = threading.Barrier(2)
            waited: dict[str, float] = {}

            def send(user: str) -> tuple[str, ...]:
                start.wait(10)
                began = time.monotonic()
                try:
                    return yard.accept("second", user=user)
                finally:
                    waited[user] = time.monotonic() - began

            ada, bob = pool.submit(send, "ada"), pool.submit(send, "bob")
            assert bob.result(10)[0].endswith("-2")
            with pytest.raises(Overloaded):
                ada.result(10)
            # Not five seconds, as other transactions; and at most twice: in a group, and alone.
            assert 1.0 <= waited["ada"] < 4.5
            held.rollback()
        assert yard.accept("second", user="ada")[0].endswith("-2")
        yard.assert_ledgers_are_exact()
        locker.dispose()


def test_a_server_that_goes_and_comes_back_costs_no_event(
    postgres_cluster: Callable[[], Cluster],
) -> None:
    cluster = postgres_cluster()
    with opened_yard(cluster.url) as yard:
        destination_id = yard.destination()
        yard.accept("a")
        cluster.stop()
        with pytest.raises(Overloaded):
            yard.accept("b")
        cluster.start()
        yard.accept("b")
        yard.drain()
        assert yard.inbox.ids == ["a", "b"]
        assert yard.row(destination_id).delivered == 2


def test_a_file_that_another_process_locks_refuses_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hitchpost.db"
    with opened_yard(f"sqlite:///{path}") as yard:
        yard.user()
        yard.accept("a")
        for connection in [yard.runtime.database.engine.raw_connection()]:
            connection.cursor().execute("PRAGMA busy_timeout=50")
            connection.close()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Overloaded):
                yard.accept("b")
            other.execute("ROLLBACK")
        assert yard.accept("b")[0].endswith("-2")
