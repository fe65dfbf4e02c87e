"""The schema of the database: which revision it is at, and the one runner that moves it up or down.

A move is one transaction on both databases: killed midway, it leaves nothing and can be run again. A second
runner waits for the first. On PostgreSQL no lock is waited for longer than a second, so that a migration
cannot queue up the whole service behind itself; it lets go and tries again.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from webapp.errors import HitchpostError
from webapp.lib.database import Database, is_contention

_CHECKOUT = Path(__file__).parents[2]
#: any number, as long as it is ours alone: who holds it in PostgreSQL is the runner
_RUNNER_LOCK = 0x48495443
_TRIES = 30
_PAUSE_SECONDS = 1.0


class Busy(HitchpostError):
    """The schema could not be moved: others held its tables, or another runner was at work, all the while."""


def head() -> str | None:
    """The revision that this code wants."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def current(database: Database) -> str | None:
    """The revision that the database is at; None when it is empty."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_behind(database: Database) -> bool:
    """Whether this code needs a migration first; a revision that it does not know is a newer one."""
    at = current(database)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    return at is None or (at in known and at != head())


def upgrade(database: Database, revision: str = "head") -> None:
    """Move the schema up to `revision`; nothing happens if it is there. Raises Busy."""
    _move(database, lambda config: command.upgrade(config, revision))


def downgrade(database: Database, revision: str) -> None:
    """Move the schema down to `revision`; `base` is an empty database. Raises Busy."""
    _move(database, lambda config: command.downgrade(config, revision))


def _config() -> Config:
    return Config(toml_file=_CHECKOUT / "pyproject.toml")


def _move(database: Database, run: Callable[[Config], None]) -> None:
    for _ in range(_TRIES):
        try:
            with _runner(database) as connection:
                config = _config()
                config.attributes["connection"] = connection
                run(config)
            return
        except DBAPIError as error:
            if not is_contention(error):
                raise
        time.sleep(_PAUSE_SECONDS)
    raise Busy


@contextmanager
def _runner(database: Database) -> Iterator[Connection]:
    """One transaction that no other runner can be in at the same time."""
    with database.engine.connect() as connection:
        connection.execution_options(hitchpost_write=True)
        if not database.is_sqlite:
            with connection.begin():
                connection.execute(text("SET LOCAL lock_timeout = '1s'"))
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _RUNNER_LOCK})
                yield connection
            return
        with _without_foreign_keys(connection), connection.begin():
            yield connection


@contextmanager
def _without_foreign_keys(connection: Connection) -> Iterator[None]:
    """SQLite alters a table by rebuilding it; with foreign keys on, that would empty the table's children."""
    plain = connection.connection.dbapi_connection
    assert plain is not None  # noqa: S101 - a connection that was just opened has one
    plain.cursor().execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        plain.cursor().execute("PRAGMA foreign_keys=ON")
