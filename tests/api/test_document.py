"""The OpenAPI document and the pages to read it by."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.conftest import World
from webapp.api import OPERATIONS, PREFIX
from webapp.api.event_schemas import SCHEMAS
from webapp.api.openapi import open_path
from webapp.api.problems import PROBLEMS
from webapp.core.events import fields, native
from webapp.core.notices import News


@pytest.fixture
def document(world: World) -> Any:
    """The document as it is served, to anybody."""
    answer = world.client.get(f"{PREFIX}/openapi.json")
    assert answer.content_type == "application/json"
    return answer.json


def references(part: Any) -> Iterator[str]:
    """Every $ref below `part`."""
    if isinstance(part, dict):
        yield from ([part["$ref"]] if "$ref" in part else [])
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_every_operation_is_documented_with_its_ways_to_fail(document: Any) -> None:
    assert document["openapi"].startswith("3.1.")
    for operation in OPERATIONS:
        written = document["paths"][open_path(operation.path)][operation.method.lower()]
        assert written["summary"].endswith(".")
        assert written["security"] == [{"api_key": [operation.scope.value]}]
        assert {str(operation.status), "401", "403"} <= written["responses"].keys()
        assert ("404" in written["responses"]) == ("<" in operation.path)
        in_path = {part["name"] for part in written["parameters"] if part["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", open_path(operation.path)))


def test_every_reference_leads_somewhere(document: Any) -> None:
    shapes = document["components"]["schemas"]
    found = list(references(document))
    assert found
    assert {reference.removeprefix("#/components/schemas/") for reference in found} <= shapes.keys()


def test_the_shape_of_an_event_is_what_the_core_reads() -> None:
    shape = SCHEMAS["Event"]
    assert shape["properties"].keys() == native._KNOWN
    assert shape["properties"]["source"]["default"] == native.DEFAULT_SOURCE
    assert shape["properties"]["id"]["maxLength"] == fields.MAX_CHARACTERS
    assert [state for state in shape["properties"]["state"]["enum"] if state] == list(native.STATES)


def test_the_reading_page_is_whole_without_scripts_and_without_strangers(world: World) -> None:
    page = world.client.get("/api/docs")
    assert page.status_code == 200
    for operation in OPERATIONS:
        assert f'id="{operation.name}"' in page.text
        assert operation.scope.value in page.text
    for name in SCHEMAS:
        assert f'id="shape-{name}"' in page.text
    ids = re.findall(r'\bid="([^"]+)"', page.text)
    assert len(ids) == len(set(ids))
    loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]+)"', page.text)
    assert [address for address in loaded if not address.startswith("/")] == []


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.slug)
def test_the_type_of_every_problem_is_a_page_that_explains_it(world: World, problem: Any) -> None:
    page = world.client.get(problem.type)
    assert page.status_code == 200
    assert problem.title in page.text
    assert f'href="{problem.type}"' in world.client.get("/api/docs").text


def test_an_unknown_problem_has_no_page(world: World) -> None:
    assert world.client.get("/problems/none").status_code == 404


def test_problems_have_types_of_their_own() -> None:
    assert len({problem.type for problem in PROBLEMS}) == len(PROBLEMS)


def test_every_webhook_is_documented_and_says_what_it_says(world: World, document: Any) -> None:
    assert document["webhooks"].keys() == {news.value for news in News}
    page = world.client.get("/api/docs").text
    for news in News:
        assert f"<code>{news.value}</code>" in page
        assert document["webhooks"][news.value]["post"]["summary"].endswith(".")
