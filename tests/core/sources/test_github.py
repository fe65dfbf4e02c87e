"""What GitHub tells, as deploy events: what starts, what stops, and what says nothing."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests import github as told
from webapp.core.events.drafts import Draft
from webapp.core.events.forms import Item
from webapp.core.events.native import read_native
from webapp.core.sources.github import read

NOW = datetime(2026, 1, 3, tzinfo=UTC)


def draft_of(event: str, payload: Any) -> Draft:
    made = read(event, payload)
    assert isinstance(made, dict), made
    draft = read_native(Item("", {**made, "id": "1"}), NOW)
    assert isinstance(draft, Draft), draft
    return draft


def data_of(event: str, payload: Any) -> Any:
    return json.loads(draft_of(event, payload).body)["data"]


@pytest.mark.parametrize(
    ("event", "payload", "subject", "state", "minute"),
    [
        ("deployment", told.deployment(), "acme/shop/production", "start", 4),
        ("deployment_status", told.deployment_status("in_progress"), "acme/shop/production", "start", 6),
        ("deployment_status", told.deployment_status("success"), "acme/shop/production", "stop", 6),
        ("deployment_status", told.deployment_status("failure"), "acme/shop/production", "stop", 6),
        ("deployment_status", told.deployment_status("error"), "acme/shop/production", "stop", 6),
        ("workflow_run", told.workflow_run("in_progress"), "acme/shop/Deploy", "start", 4),
        ("workflow_run", told.workflow_run("completed", "success"), "acme/shop/Deploy", "stop", 9),
        ("release", told.release("published"), "acme/shop", None, 4),
    ],
)
def test_what_starts_and_stops(
    event: str, payload: Any, subject: str, state: str | None, minute: int
) -> None:
    draft = draft_of(event, payload)
    assert (draft.type, draft.subject, draft.state) == ("deployment", subject, state)
    assert draft.time == datetime(2026, 1, 2, 3, minute, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("deployment", told.deployment("edited")),
        *(("deployment_status", told.deployment_status(one)) for one in ("queued", "pending", "waiting")),
        ("deployment_status", told.deployment_status("inactive")),
        ("workflow_run", told.workflow_run("requested")),
        *(("release", told.release(one)) for one in ("created", "released", "edited", "deleted")),
        ("push", {"ref": "refs/heads/main"}),
        ("", {}),
        ("deployment_status", {}),
        ("workflow_run", {"action": ["completed"]} | {"action": None}),
    ],
)
def test_what_says_nothing_new_is_ignored_with_the_reason(event: str, payload: Any) -> None:
    why = read(event, payload)
    assert isinstance(why, str)
    assert why.endswith(".")


def test_the_data_holds_what_one_asks_for_and_its_links() -> None:
    assert data_of("deployment_status", told.deployment_status("success")) == {
        "repository": "acme/shop",
        "actor": "ada",
        "environment": "production",
        "description": "the new basket",
        "task": "deploy",
        "ref": "main",
        "sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
        "url": "https://github.com/acme/shop/actions/runs/9",
        "environment_url": "https://shop.example",
        "requestId": "github-deployment-4711",
        "event": "deployment_status",
        "status": "success",
        "message": "acme/shop/production: deployment succeeded",
    }
    released = data_of("release", told.release("published"))
    assert (released["version"], released["url"]) == (
        "v1.10",
        "https://github.com/acme/shop/releases/tag/v1.10",
    )


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("deployment_status", told.deployment_status("failure")),
        ("workflow_run", told.workflow_run("completed", "timed_out")),
    ],
)
def test_a_bad_end_is_an_error(event: str, payload: Any) -> None:
    assert data_of(event, payload)["error"]
    assert "error" not in data_of("deployment_status", told.deployment_status("success"))


def test_start_and_stop_of_one_deployment_have_the_same_subject_and_request() -> None:
    first = data_of("deployment", told.deployment())
    last = data_of("deployment_status", told.deployment_status("success"))
    assert first["requestId"] == last["requestId"]


def test_odd_texts_and_links_become_harmless() -> None:
    odd = told.deployment_status(
        "success",
        environment="a\u0000b\n\u202ec" + "x" * 600,
        target_url="javascript:alert(1)",
        description=7,
        updated_at=7,
    )
    draft = draft_of("deployment_status", odd)
    assert draft.subject is not None
    assert draft.subject.startswith("acme/shop/a b c")
    assert len(draft.subject) <= 512
    data = json.loads(draft.body)["data"]
    assert data["url"] == "https://github.com/acme/shop"
    assert draft.time == NOW


@pytest.mark.parametrize("event", ["deployment", "deployment_status", "workflow_run", "release"])
def test_a_payload_of_any_shape_is_read(event: str) -> None:
    for odd in (
        {},
        {"action": 7},
        {"action": []},
        {event: []},
        {event: None, "repository": "x", "sender": [1]},
    ):
        for action in ("created", "completed", "published"):
            made = read(event, {"action": action, "deployment_status": {"state": "success"}, **odd})
            assert isinstance(made, dict | str)
