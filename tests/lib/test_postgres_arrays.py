"""An array that we wrote is read by PostgreSQL as the values that it was made of."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DataError

from webapp.lib.postgres_arrays import ARRAYS


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    made = create_engine(postgres_url)
    yield made
    made.dispose()


CASES: dict[str, list[Any]] = {
    "bigint": [0, 1, -1, 2**63 - 1, -(2**63)],
    "bytea": [b"", b"\0\xff", bytes(range(256)) * 300],
    "text": ["", None, 'quotes " and \\', "ümläut 🦤", "NULL", "{}"],
    "timestamptz": [
        datetime(2026, 11, 26, 12, 30, 15, 123_456, tzinfo=UTC),
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    ],
    "uuid": [UUID(int=0), UUID(int=2**128 - 1), UUID("01a216a1-088e-7b66-b0ac-e86cb4acc20c")],
}


@pytest.mark.parametrize("type_", ARRAYS)
def test_every_value_comes_out_as_it_went_in(engine: Engine, type_: str) -> None:
    with engine.connect() as connection:
        for values in (CASES[type_], CASES[type_][:1], []):
            read = text(f"SELECT * FROM unnest(CAST(:values AS {type_}[]))")  # noqa: S608 - a type of ours
            found = connection.execute(read, {"values": ARRAYS[type_](values)}).scalars().all()
            assert found == values


@pytest.mark.parametrize("type_", ARRAYS)
def test_it_says_itself_of_which_type_it_is(engine: Engine, type_: str) -> None:
    with engine.connect() as connection:
        asked = text("SELECT pg_typeof(:values)::text")
        said = connection.execute(asked, {"values": ARRAYS[type_](CASES[type_])}).scalar_one()
    assert said == {"timestamptz": "timestamp with time zone"}.get(type_, type_) + "[]"


def test_a_text_that_postgres_cannot_hold_is_refused_by_it(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(DataError, match="invalid byte sequence"):
        connection.execute(text("SELECT CAST(:v AS text[])"), {"v": ARRAYS["text"](["a\0b"])})
