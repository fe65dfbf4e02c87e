"""A restored or copied database is held: it takes events and calls nobody until it is released."""

import itertools
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, select

from tests.forwarding import Vendor, Yard, opened_yard, postgres_yard_url, sqlite_yard_url, yard
from tests.services import postgres
from webapp.core import audit_chain, checks, credentials, delivery, refresh, restores, retention
from webapp.core.runtime import Runtime
from webapp.errors import Conflict
from webapp.lib.secret import Secret
from webapp.models import AuditLine, CredentialKind, Instance
from webapp.providers.base import Grant

__all__ = ["postgres_yard_url", "sqlite_yard_url", "yard"]


@pytest.fixture(autouse=True)
def look_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look holds good for no time."""
    monkeypatch.setattr(restores, "GOOD_SECONDS", 0.0)


def dump(url: str, to: Path) -> None:
    """As `pg_dump` does it: from one snapshot, beside whoever writes."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    program = postgres.find_programs() / "pg_dump"
    subprocess.run([program, "--no-owner", f"--file={to}", plain], check=True)


def load(dumped: Path, url: str) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    program = postgres.find_programs() / "psql"
    subprocess.run([program, "--quiet", "--set=ON_ERROR_STOP=1", f"--file={dumped}", plain], check=True)


def test_an_instance_that_stays_where_it_was_goes_on(yard: Yard) -> None:
    yard.destination()
    for name in "abc":
        yard.accept(name)
        restores.move_stamp(yard.runtime)
        yard.drain()
    assert (yard.inbox.ids, restores.is_held(yard.runtime)) == ([*"abc"], False)


def test_a_marked_instance_takes_events_and_calls_nobody(yard: Yard) -> None:
    yard.destination()
    restores.mark(yard.runtime)
    yard.accept("a", "b")
    retention.sweep(yard.runtime)
    assert (delivery.work_left(yard.runtime), delivery.drain(yard.runtime)) == (False, 0)
    assert refresh.sweep(yard.runtime) == 0
    with yard.runtime.database.read() as session:
        held = restores.read_held(session)
    assert "an operator said" in str(held)
    restores.release(yard.runtime)
    yard.drain()
    assert yard.inbox.ids == ["a", "b"]
    with pytest.raises(Conflict):
        restores.release(yard.runtime)
    with yard.runtime.database.read() as session:
        acts = session.scalars(select(AuditLine.act).where(AuditLine.object.startswith("instance:"))).all()
    assert acts == ["restore.held", "restore.released"]


class Refreshing(Vendor):
    """A vendor whose grants are renewed, too; it notes which refresh tokens were spent."""

    def __init__(self) -> None:
        self.spent: list[str] = []

    def client_key(self) -> str:
        return "c"

    def refresh(self, http: object, refresh_token: Secret, *, scope: str, details: object) -> Grant:
        self.spent.append(refresh_token.reveal())
        return Grant(access_token=Secret("new"), refresh_token=Secret("r2"), lifetime=3600.0)


def begin(yard: Yard) -> None:
    """Some events were sent, two wait, a refresh is due, and the chain of the audit is sealed."""
    connection = yard.connection(yard.destination())
    with yard.runtime.database.write() as session:
        parts = {"access_token": Secret("a1"), "refresh_token": Secret("r1")}
        kind = CredentialKind.GRANT
        grant = credentials.add(session, yard.runtime.vault, connection.id, kind, parts, lifetime=3600.0)
        grant.refresh_at = grant.issued_at
    yard.accept("a", "b")
    yard.drain()
    yard.accept("c", "d")
    audit_chain.seal(yard.runtime)


def drill(url: str, original: Yard) -> None:
    """What an operator does with a restored database: it starts held, is looked at, and goes on."""
    with opened_yard(url) as found:
        (fault,) = checks.of_keys(found.runtime)
        assert f"lacks key {original.runtime.vault.active!r}" in fault
        vendor = Refreshing()
        parts = replace(found.runtime, vault=original.runtime.vault, providers={"baselime": vendor})
        restored = Yard(parts, found.inbox, found.rung)
        assert restores.is_held(restored.runtime)
        restored.accept("last")
        assert (restored.drain(), refresh.sweep(restored.runtime)) == (0, 0)
        assert (restored.inbox.requests, vendor.spent) == ([], [])
        assert "a copy, or was restored" in str(held_of(restored.runtime))
        assert audit_chain.verify(restored.runtime).fault is None
        restored.assert_ledgers_are_exact()
        restores.release(restored.runtime)
        restored.drain()
        assert (refresh.sweep(restored.runtime), vendor.spent) == (1, ["r1"])
        # Their ids are what they were: whoever gets them again can tell.
        meanwhile = [f"w{number}" for number in range(len(restored.inbox.ids) - 3)]
        assert restored.inbox.ids == ["c", "d", *meanwhile, "last"]
        restored.assert_ledgers_are_exact()
        assert not restores.is_held(restored.runtime)


@contextmanager
def load_on(yard: Yard) -> Iterator[None]:
    """Events keep coming meanwhile."""
    over = threading.Event()

    def send() -> None:
        for number in itertools.count():
            yard.accept(f"w{number}")
            if over.is_set():
                return

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        try:
            yield
        finally:
            over.set()
            sending.result(30)


def held_of(runtime: Runtime) -> restores.Held | None:
    with runtime.database.read() as session:
        return restores.read_held(session)


def test_a_dump_that_is_loaded_elsewhere_is_held(
    postgres_database: Callable[..., str], tmp_path: Path
) -> None:
    with opened_yard(postgres_database()) as original:
        begin(original)
        with load_on(original):
            dump(original.runtime.database.url.render_as_string(hide_password=False), tmp_path / "dump.sql")
        original.drain()
        elsewhere = postgres_database()
        load(tmp_path / "dump.sql", elsewhere)
        drill(elsewhere, original)
        assert not restores.is_held(original.runtime)


def test_a_dump_that_is_loaded_over_the_same_database_is_held(
    postgres_database: Callable[..., str], tmp_path: Path
) -> None:
    url = postgres_database()
    with opened_yard(url) as original:
        begin(original)
        dump(url, tmp_path / "dump.sql")
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        engine.dispose()
        load(tmp_path / "dump.sql", url)
        assert restores.is_held(original.runtime), "even while the process goes on"


def copy(source: Path, target: Path) -> None:
    """As SQLite's own backup does it."""
    engine = create_engine(f"sqlite:///{source}", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("VACUUM INTO ?", (str(target),))
    engine.dispose()


def test_a_copied_sqlite_file_is_held(tmp_path: Path) -> None:
    with opened_yard(f"sqlite:///{tmp_path / 'one.db'}") as original:
        begin(original)
        with load_on(original):
            copy(tmp_path / "one.db", tmp_path / "two.db")
        shutil.copy(tmp_path / "one.db.stamp", tmp_path / "two.db.stamp")
        original.drain()
        drill(f"sqlite:///{tmp_path / 'two.db'}", original)
        assert not restores.is_held(original.runtime)


def test_an_older_copy_written_over_the_sqlite_file_is_held(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    with opened_yard(f"sqlite:///{path}") as original:
        begin(original)
        copy(path, tmp_path / "backup.db")
        for _ in range(2):
            restores.move_stamp(original.runtime)
        original.runtime.database.close()
        path.write_bytes((tmp_path / "backup.db").read_bytes())
        assert restores.is_held(original.runtime)


def test_a_process_killed_while_it_moves_the_stamp_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_yard(f"sqlite:///{tmp_path / 'one.db'}") as yard:
        restores.is_held(yard.runtime)
        before = stamp_of(yard.runtime)
        write = restores.whereabouts.write_stamps

        def die(*given: object) -> None:
            write(*given)  # type: ignore[arg-type]  # as it was called
            raise KeyboardInterrupt

        monkeypatch.setattr(restores.whereabouts, "write_stamps", die)
        with pytest.raises(KeyboardInterrupt):
            restores.move_stamp(yard.runtime)
        assert (stamp_of(yard.runtime), restores.is_held(yard.runtime)) == (before, False)


def stamp_of(runtime: Runtime) -> str | None:
    with runtime.database.read() as session:
        return session.scalars(select(Instance.stamp)).one()
