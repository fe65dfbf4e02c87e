"""Deliveries as GitHub makes them: signed, and with the parts of a payload that matter here."""

import hashlib
import hmac
import json
from typing import Any

REPOSITORY = {"full_name": "acme/shop", "html_url": "https://github.com/acme/shop", "private": True}
DEPLOYMENT = {
    "id": 4711,
    "sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
    "ref": "main",
    "task": "deploy",
    "environment": "production",
    "description": "the new basket",
    "created_at": "2026-01-02T03:04:05Z",
    "creator": {"login": "ada"},
}
PING: dict[str, Any] = {"zen": "Keep it logically awesome.", "hook_id": 1, "repository": REPOSITORY}


def deployment(action: str = "created", **more: Any) -> dict[str, Any]:
    return _whole(action=action, deployment=DEPLOYMENT | more)


def deployment_status(state: str, **more: Any) -> dict[str, Any]:
    status = {
        "id": 1,
        "state": state,
        "environment": "production",
        "created_at": "2026-01-02T03:05:05Z",
        "updated_at": "2026-01-02T03:06:05Z",
        "target_url": "https://github.com/acme/shop/actions/runs/9",
        "environment_url": "https://shop.example",
    }
    return _whole(action="created", deployment_status=status | more, deployment=DEPLOYMENT)


def workflow_run(action: str, conclusion: str | None = None, **more: Any) -> dict[str, Any]:
    run = {
        "id": 9,
        "run_attempt": 1,
        "name": "Deploy",
        "display_title": "Ship the basket",
        "head_branch": "main",
        "head_sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
        "conclusion": conclusion,
        "html_url": "https://github.com/acme/shop/actions/runs/9",
        "run_started_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:09:05Z",
    }
    return _whole(action=action, workflow_run=run | more)


def release(action: str, **more: Any) -> dict[str, Any]:
    made = {
        "tag_name": "v1.10",
        "name": "The basket",
        "target_commitish": "main",
        "prerelease": False,
        "html_url": "https://github.com/acme/shop/releases/tag/v1.10",
        "published_at": "2026-01-02T03:04:05Z",
    }
    return _whole(action=action, release=made | more)


def signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def request(
    secret: str, event: str, payload: Any, *, id: str = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
) -> Any:
    """The headers and the body."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": id,
        "X-Hub-Signature-256": signature(secret, body),
        "User-Agent": "GitHub-Hookshot/044aadd",
    }
    return headers, body


def _whole(**parts: Any) -> dict[str, Any]:
    return {**parts, "repository": REPOSITORY, "sender": {"login": "ada"}}
