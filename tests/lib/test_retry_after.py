"""Retry-After, in both its forms."""

from datetime import UTC, datetime

import pytest

from webapp.lib import retry_after

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("1.5", None),
        ("-3", None),
        ("²", None),
        (" 30 ", 30.0),
        ("0", 0.0),
        ("3601", 3600.0),
        ("9" * 400, 3600.0),
        ("Sat, 31 Jan 2026 12:01:00 GMT", 60.0),
        ("Sat, 31 Jan 2026 12:01:00 -0000", 60.0),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 2100 12:00:00 GMT", 3600.0),
        ("Sat, 31 Foo 2026 12:01:00 GMT", None),
        ("Sat, 31 Jan 99999 12:01:00 GMT", None),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 +9999999999999", None),
    ],
)
def test_a_wish_is_read_and_bounded(value: str | None, seconds: float | None) -> None:
    assert retry_after.read(value, now=NOW) == seconds
