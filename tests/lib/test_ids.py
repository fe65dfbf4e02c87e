"""Row ids are version 7 UUIDs that sort by the time of their making."""

from datetime import UTC, datetime
from uuid import UUID

import time_machine

from webapp.lib.ids import new_request_id, uuid7


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = uuid7()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")


def test_later_ids_sort_behind_earlier_ones() -> None:
    with time_machine.travel(datetime(2026, 1, 1, tzinfo=UTC), tick=False) as clock:
        earlier = [uuid7() for _ in range(20)]
        clock.shift(0.001)
        later = [uuid7() for _ in range(20)]
    assert max(earlier) < min(later)
    assert len({*earlier, *later}) == 40


def test_a_request_is_named_by_such_an_id() -> None:
    named = {new_request_id() for _ in range(100)}
    assert {UUID(name).version for name in named} == {7}
    assert len(named) == 100
