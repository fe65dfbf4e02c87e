"""The small parts of the interface: buckets that fill, and schemas in words."""

from typing import Any

import pytest

from webapp.api.limits import Buckets
from webapp.api.openapi import open_path
from webapp.api.reading import in_words


def test_a_bucket_empties_and_fills_again() -> None:
    buckets = Buckets(rate=2.0, burst=3.0)
    assert [buckets.take("a", 100.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert buckets.take("a", 100.0) == pytest.approx(0.5)
    assert buckets.take("a", 100.4) == pytest.approx(0.1)
    assert buckets.take("a", 100.5) == 0.0
    assert buckets.take("a", 100.5) > 0.0


def test_a_pause_fills_a_bucket_no_further_than_its_brim() -> None:
    buckets = Buckets(rate=2.0, burst=3.0)
    buckets.take("a", 0.0)
    assert [buckets.take("a", 1e6) for _ in range(4)][:3] == [0.0, 0.0, 0.0]
    assert buckets.take("a", 1e6) > 0.0


def test_each_name_has_a_bucket_of_its_own() -> None:
    buckets = Buckets(rate=1.0, burst=1.0)
    assert buckets.take("a", 0.0) == 0.0
    assert buckets.take("a", 0.0) > 0.0
    assert buckets.take("b", 0.0) == 0.0


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "format": "uuid"}, "string (uuid)"),
        ({"type": ["string", "null"]}, "string or null"),
        ({"$ref": "#/components/schemas/Event"}, "Event"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer or null"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Event"}}, "list of Event"),
        ({"enum": ["start", "stop", None]}, '"start" | "stop" | null'),
        ({"const": "1.0"}, '"1.0"'),
        ({}, "anything"),
    ],
)
def test_a_schema_is_told_in_words(schema: dict[str, Any], words: str) -> None:
    assert in_words(schema) == words


def test_a_path_is_written_as_openapi_wants_it() -> None:
    assert open_path("/a/<uuid:one>/b/<two>") == "/a/{one}/b/{two}"
