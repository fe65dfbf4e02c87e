"""Marks of pages: what we made comes back, what we did not make is refused by name."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from webapp.core.queries.paging import make_mark, read_mark
from webapp.errors import Invalid

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("parts", "kinds"),
    [
        ([7], [int]),
        ([UUID(int=5)], [UUID]),
        ([MOMENT, UUID(int=5)], [datetime, UUID]),
        (["é \U0001f600", UUID(int=5)], [str, UUID]),
    ],
)
def test_a_mark_comes_back_as_it_was(parts: list[object], kinds: list[type]) -> None:
    assert read_mark(make_mark(parts), kinds) == parts


@pytest.mark.parametrize(
    "mark",
    [
        "x",
        "!!!!",
        "bnVsbA",
        "e30",
        "WzFd",
        make_mark([1, 2]),
        make_mark(["no-uuid"]),
        make_mark([2**70]),
        "W1tbW1tb",
        "é",
        "A" * 5000,
    ],
)
def test_a_foreign_mark_is_refused_and_says_what_to_do(mark: str) -> None:
    with pytest.raises(Invalid, match="start at its first page"):
        read_mark(mark, [UUID])
