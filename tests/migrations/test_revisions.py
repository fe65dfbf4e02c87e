"""The revisions make the very schema that the models describe, on both databases, and take it away again."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Table, inspect, text
from sqlalchemy.engine.interfaces import ReflectedIndex

from webapp.lib import schema
from webapp.lib.database import Database
from webapp.models import Base


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def test_the_revisions_make_what_the_models_describe(database: Database) -> None:
    schema.upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_revisions_and_the_models_make_the_same_to_the_letter(database: Database, twin: Database) -> None:
    """Beyond what autogenerate compares: partial indexes, check constraints, fill factors, cascades."""
    schema.upgrade(database)
    with twin.write() as session:
        Base.metadata.create_all(session.connection())
    with database.engine.connect() as moved, twin.engine.connect() as made:
        assert _description(moved) == _description(made)


@pytest.fixture
def twin(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Database]:
    """A second empty database of the same kind."""
    url = f"sqlite:///{tmp_path / 'twin.db'}"
    if not database.is_sqlite:
        url = request.getfixturevalue("postgres_database")()
    opened = Database(url)
    yield opened
    opened.close()


def _description(connection: Connection) -> dict[str, Any]:
    look = inspect(connection)
    tables = sorted(set(look.get_table_names()) - {"alembic_version"})
    return {table: _description_of(connection, table) for table in tables}


def _description_of(connection: Connection, table: str) -> dict[str, Any]:
    look = inspect(connection)
    described: dict[str, Any] = {
        "columns": {
            column["name"]: (str(column["type"]), column["nullable"], column["default"])
            for column in look.get_columns(table)
        },
        "key": look.get_pk_constraint(table),
        "unique": sorted(map(str, look.get_unique_constraints(table))),
        "checks": sorted(map(str, look.get_check_constraints(table))),
        "parents": sorted(map(str, look.get_foreign_keys(table))),
        "indexes": sorted(map(_plain, look.get_indexes(table))),
    }
    if connection.dialect.name == "postgresql":
        options = text("SELECT reloptions FROM pg_class WHERE oid = CAST(:name AS regclass)")
        described["options"] = connection.execute(options, {"name": table}).scalar_one()
    return described


def _plain(index: ReflectedIndex) -> str:
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return f"{index['name']} {index['column_names']} {index['unique']} {options}"


def test_down_takes_everything_away_and_up_brings_it_back(database: Database) -> None:
    schema.upgrade(database)
    schema.downgrade(database, "base")
    assert schema.current(database) is None
    assert set(inspect(database.engine).get_table_names()) == {"alembic_version"}
    schema.upgrade(database)
    assert schema.current(database) == schema.head()


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    schema.upgrade(database)
    schema.upgrade(database)
    assert schema.current(database) == schema.head()


def test_an_empty_database_is_at_no_revision(database: Database) -> None:
    assert schema.current(database) is None


def test_two_runners_at_once_do_the_work_once(database_url: str) -> None:
    faults: list[BaseException] = []

    def run() -> None:
        database = Database(database_url)
        try:
            schema.upgrade(database)
        except BaseException as fault:  # noqa: BLE001 - it is raised again in the test's own thread
            faults.append(fault)
        finally:
            database.close()

    runners = [threading.Thread(target=run) for _ in range(4)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert faults == []


def test_a_failed_move_leaves_nothing_half_done(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import op  # noqa: PLC0415 - the very object that revisions call

    made: list[str] = []
    create = op.create_table

    def fail_at_the_third(name: str, *columns: Any, **options: Any) -> Table:
        made.append(name)
        if len(made) == 3:
            raise RuntimeError("the power went out")
        return create(name, *columns, **options)

    monkeypatch.setattr(op, "create_table", fail_at_the_third)
    with pytest.raises(RuntimeError, match="power"):
        schema.upgrade(database)
    monkeypatch.undo()
    assert inspect(database.engine).get_table_names() == []
    schema.upgrade(database)


def test_a_lock_held_by_others_is_not_queued_up_behind(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A waiting ALTER would make every reader behind it wait too: the runner lets go, and says so."""
    database = Database(postgres_url)
    schema.upgrade(database)
    monkeypatch.setattr(schema, "_TRIES", 1)
    monkeypatch.setattr(schema, "_PAUSE_SECONDS", 0)
    with database.engine.begin() as reader:
        reader.execute(text("SELECT 1 FROM users"))
        with pytest.raises(schema.Busy):
            schema.downgrade(database, "base")
    schema.downgrade(database, "base")
    database.close()


def test_foreign_keys_are_kept_again_after_a_move_on_sqlite(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'hitchpost.db'}")
    schema.upgrade(database)
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    database.close()
