"""The interface keeps to its OpenAPI document, whatever is sent: schemathesis asks, seeded and bounded."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.api.conftest import World
from webapp.api import OPERATIONS, limits
from webapp.api.openapi import open_path
from webapp.api.operations import Operation

#: Of each operation, as documented and otherwise: some six hundred in all.
CASES = 20

DOCUMENT = "/api/v1/openapi.json"


@pytest.fixture
def busy_world(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """An instance that may be asked as fast as it answers."""
    monkeypatch.setattr(limits, "_usual", limits.Buckets(1e9, 1e9))
    monkeypatch.setattr(limits, "_quick", limits.Buckets(1e9, 1e9))
    return world


@pytest.fixture
def known(busy_world: World) -> dict[str, str]:
    """Ids that lead somewhere, by the name of their part of a path."""
    held = busy_world.connect(busy_world.user("u_1"))
    body = {"user": "u_1", "id": "1", "type": "deployment"}
    answer = busy_world.client.post("/api/v1/events", json=body, headers=busy_world.key())
    return {
        "connection_id": str(held.connection),
        "destination_id": str(held.destination),
        "letter_id": str(held.dead_letter),
        "source_id": str(held.source),
        "user": str(held.user),
        "event_id": answer.json["ids"][0],
    }


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_answer_is_as_documented(
    operation: Operation, mode: GenerationMode, busy_world: World, known: dict[str, str]
) -> None:
    document = schemathesis.openapi.from_wsgi(DOCUMENT, busy_world.client.application)
    documented = document[open_path(operation.path)][operation.method]
    key = busy_world.key()
    # Whether a user exists or a mark is ours, no schema can say: 422 may then answer good data too.
    beyond_schemas = operation.query or operation.body or operation.takes
    excluded = [positive_data_acceptance] if beyond_schemas else []

    @given(case=documented.as_strategy(generation_mode=mode))
    @settings(
        max_examples=CASES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Case) -> None:
        case.call_and_validate(headers=key, excluded_checks=excluded)
        if mode is GenerationMode.POSITIVE and case.path_parameters:
            case.path_parameters = {name: known[name] for name in case.path_parameters}
            case.call_and_validate(headers=key, excluded_checks=excluded)

    ask()
