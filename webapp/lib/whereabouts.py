"""Where a database physically is, so that a copy of it, or an older one in its place, can be told from it.

PostgreSQL: the cluster's system identifier, the database's and one table's object ids. A dump that is loaded
anywhere has others; a failover keeps them all. SQLite: the file's inode, and a stamp in a file beside it that
moves on with the database, so that an older copy put in the same place does not fit.
"""

import os
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from webapp.lib.database import Database

_POSTGRES = text(
    "SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),"
    " (SELECT oid FROM pg_database WHERE datname = current_database()), to_regclass(:table)::oid)"
)


def place_of(session: Session, database: Database, table: str) -> str:
    """Where the database of this session is; `table` is one of its tables."""
    if not database.is_sqlite:
        return str(session.execute(_POSTGRES, {"table": table}).scalar_one())
    return str(_file(database).stat().st_ino)


def read_stamps(database: Database) -> frozenset[str]:
    """The stamps that an SQLite file may bear: the last, and the one that was being written."""
    try:
        return frozenset(_stamp_file(database).read_text(encoding="ascii").split())
    except FileNotFoundError:
        return frozenset()


def write_stamps(database: Database, *stamps: str) -> None:
    """Keep these beside the SQLite file, safely on the disk before the database says so itself."""
    path = _stamp_file(database)
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("w", encoding="ascii") as file:
        file.write("\n".join(stamps))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _file(database: Database) -> Path:
    return Path(database.url.database or "")


def _stamp_file(database: Database) -> Path:
    return Path(f"{_file(database)}.stamp")
