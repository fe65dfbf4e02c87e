"""One door to SQLite and PostgreSQL: short transactions, one clock, the same promises on both.

SQLite's own defaults lose updates, so here: WAL with synchronous=FULL, BEGIN IMMEDIATE for every write
transaction, and one fair mutex around the writers of this process (SQLite's busy handler alone starves some).
PostgreSQL runs at READ COMMITTED with synchronous_commit on; correctness rests on row locks and unique keys.
"""

import math
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Engine,
    Float,
    FunctionElement,
    create_engine,
    event,
    make_url,
    type_coerce,
)
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import literal

from webapp.lib import clock
from webapp.lib.times import SQLITE_FORMAT, UTCDateTime

_POSTGRES_SESSION = (
    "-c idle_in_transaction_session_timeout=30s -c statement_timeout=30s -c lock_timeout=5s -c timezone=UTC"
)
#: a pooled connection that was in use so lately is handed out without a question
_BELIEVED_SECONDS = 1.0


class db_time(FunctionElement[datetime]):  # noqa: N801 - reads as a SQL function where it is used
    """The database's clock plus `seconds`: leases and due times of several hosts agree on it."""

    type = UTCDateTime()
    name = "db_time"
    inherit_cache = True

    def __init__(self, seconds: float | BindParameter[float] = 0.0) -> None:
        super().__init__(_seconds(seconds))


class db_time_after(FunctionElement[datetime]):  # noqa: N801 - likewise
    """`seconds` after `moment`, or after the database's clock where that is later."""

    type = UTCDateTime()
    name = "db_time_after"
    inherit_cache = True

    def __init__(
        self, moment: ColumnElement[datetime] | InstrumentedAttribute[datetime], seconds: BindParameter[float]
    ) -> None:
        super().__init__(moment, _seconds(seconds))


def _seconds(seconds: float | BindParameter[float]) -> ColumnElement[float]:
    return literal(float(seconds)) if isinstance(seconds, int | float) else type_coerce(seconds, Float())


@compiles(db_time, "postgresql")
def _postgres_time(element: db_time, compiler: SQLCompiler, **options: Any) -> str:
    return f"(clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **options)}))"


@compiles(db_time, "sqlite")
def _sqlite_time(element: db_time, compiler: SQLCompiler, **options: Any) -> str:
    return f"hitchpost_time({compiler.process(element.clauses, **options)})"


@compiles(db_time_after, "postgresql")
def _postgres_time_after(element: db_time_after, compiler: SQLCompiler, **options: Any) -> str:
    moment, seconds = (compiler.process(part, **options) for part in element.clauses)
    return f"(greatest({moment}, clock_timestamp()) + make_interval(secs => {seconds}))"


@compiles(db_time_after, "sqlite")
def _sqlite_time_after(element: db_time_after, compiler: SQLCompiler, **options: Any) -> str:
    return f"hitchpost_time_after({compiler.process(element.clauses, **options)})"


class FairLock:
    """A mutex that serves its waiters in the order they came."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiters: deque[threading.Lock] = deque()
        self._held = False

    def __enter__(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiters.append(turn)
        turn.acquire()

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._waiters:
                self._waiters.popleft().release()
            else:
                self._held = False


class Database:
    """The engine, and the two kinds of transaction: `read()` and `write()`."""

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        """`url` is a SQLAlchemy URL; `postgresql://` means psycopg 3."""
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(url) if self.is_sqlite else _postgres_engine(url, pool_size)
        self._writer = FairLock() if self.is_sqlite else None
        self._writing = self.engine.execution_options(hitchpost_write=True)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One write transaction, committed at the end of the block, rolled back on any error."""
        if self._writer is None:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session
            return
        with self._writer, Session(self.engine, expire_on_commit=False) as session, session.begin():
            session.connection(execution_options={"hitchpost_write": True})
            yield session

    @contextmanager
    def transact(self) -> Iterator[Connection]:
        """As `write`, for statements alone, where every request comes by: a Session costs as much again."""
        with self._writer or nullcontext(), self._writing.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One read transaction; it never waits for a writer on SQLite."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


class Ran(NamedTuple):
    """What a statement gave: its rows, and how many it changed."""

    rows: Sequence[Any]
    changed: int


def run_on_sqlite(connection: Connection, statement: str, parameters: Sequence[Any] = ()) -> Ran:
    """Run it by the driver alone, with SQLAlchemy's errors: a fourth of what SQLAlchemy takes for it."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, parameters)
        return Ran(cursor.fetchall(), cursor.rowcount)
    except sqlite3.Error as error:
        raise DBAPIError.instance(statement, None, error, sqlite3.Error, hide_parameters=True) from error


def is_contention(error: DBAPIError) -> bool:
    """Whether `error` says "busy, try again" (a lock, a deadlock, a lost connection) rather than "wrong"."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in {"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "53300"}
    return "database is locked" in str(error.orig) or "database table is locked" in str(error.orig)


def is_unavailable(error: SQLAlchemyError) -> bool:
    """Whether the database is busy, full, read-only or out of reach: no fault of the statement."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout)
    if is_contention(error):
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state == "25006" or state[:2] in {"08", "53", "57", "58"}
    words = str(error.orig)
    return any(sign in words for sign in _UNABLE)


_UNABLE = (
    "connection",  # libpq's words carry no SQLSTATE when there was no server to give one
    "database or disk is full",
    "attempt to write a readonly database",
    "disk I/O error",
    "unable to open database file",
)


def _postgres_engine(url: str, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=5,
        pool_use_lifo=True,
        connect_args={"connect_timeout": 5, "options": _POSTGRES_SESSION},
        hide_parameters=True,
    )
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_ping_if_idle, engine.dialect))
    return engine


def _note_use(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _ping_if_idle(
    dialect: Dialect, connection: DBAPIConnection, record: ConnectionPoolEntry, _: object
) -> None:
    """Ask whether a connection that lay idle lives. One of a moment ago is believed: asking is a trip."""
    if time.monotonic() - record.info.get("used", math.inf) < _BELIEVED_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": 10, "check_same_thread": False},
        hide_parameters=True,
        pool_use_lifo=True,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, below
    connection.create_function("hitchpost_time", 1, _sqlite_clock)
    connection.create_function("hitchpost_time_after", 2, _sqlite_clock_after)
    cursor = connection.cursor()
    # Events' identities are spread over their whole index: the fewer checkpoints, the fewer times a page of
    # it is copied. The WAL file comes to 16 MB.
    checkpoint = "wal_autocheckpoint=4000"
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        checkpoint,
        "foreign_keys=ON",
        "busy_timeout=10000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("hitchpost_write", False)
    run_on_sqlite(connection, "BEGIN IMMEDIATE" if write else "BEGIN")


def _sqlite_clock(seconds: float) -> str:
    return (clock.now() + timedelta(seconds=seconds)).strftime(SQLITE_FORMAT)


def _sqlite_clock_after(moment: str, seconds: float) -> str:
    later = max(datetime.strptime(moment, SQLITE_FORMAT).replace(tzinfo=UTC), clock.now())
    return (later + timedelta(seconds=seconds)).strftime(SQLITE_FORMAT)
