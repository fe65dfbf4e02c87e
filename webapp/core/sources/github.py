"""GitHub's deliveries as deploy events: deployment, deployment_status, workflow_run and release.

All become events of the type `deployment`, about `owner/name/environment` (of a run: its workflow; of a
release: the repository). A deployment and a run in progress start, a final status stops; a release is a
moment. What has not begun, or merely replaces another, is ignored with the reason.
"""

from collections.abc import Callable, Mapping
from typing import Any

TYPE = "deployment"
_LONGEST_TEXT = 512
_LONGEST_MESSAGE = 1_000
_FINAL = {"success": "succeeded", "failure": "failed", "error": "failed"}
_BAD_ENDS = frozenset({"failure", "error", "timed_out", "startup_failure"})


def read(event: str, payload: Mapping[str, Any]) -> dict[str, Any] | str:
    """The event in our native form, without id and source; or, in a sentence, why there is none."""
    reader = _READERS.get(event)
    if reader is None:
        return f"{_text(event) or 'a delivery without X-GitHub-Event'} says nothing of a deployment."
    return reader(payload)


def _deployment(payload: Mapping[str, Any]) -> dict[str, Any] | str:
    if _text(payload.get("action")) != "created":
        return "Only a deployment that is created says something new."
    deployment = _part(payload, "deployment")
    return _event(
        payload,
        about=_text(deployment.get("environment")),
        state="start",
        time=deployment.get("created_at"),
        said="deployment began",
        data={**_of_deployment(payload, deployment), "event": "deployment"},
    )


def _deployment_status(payload: Mapping[str, Any]) -> dict[str, Any] | str:
    status, deployment = _part(payload, "deployment_status"), _part(payload, "deployment")
    state = _text(status.get("state"))
    if state != "in_progress" and state not in _FINAL:
        return f"The status {state or 'of no name'} neither starts nor stops a deployment."
    data = {
        **_of_deployment(payload, deployment),
        "event": "deployment_status",
        "status": state,
        "description": _text(status.get("description")) or _text(deployment.get("description")),
        "url": _link(status, "log_url", "target_url") or _link(_part(payload, "repository"), "html_url"),
        "environment_url": _link(status, "environment_url"),
    }
    return _event(
        payload,
        about=_text(status.get("environment")) or _text(deployment.get("environment")),
        state="start" if state == "in_progress" else "stop",
        time=status.get("updated_at") or status.get("created_at"),
        said=f"deployment {_FINAL.get(state, 'is in progress')}",
        data=data,
    )


def _workflow_run(payload: Mapping[str, Any]) -> dict[str, Any] | str:
    run, action = _part(payload, "workflow_run"), _text(payload.get("action"))
    if action not in {"in_progress", "completed"}:
        return "A run starts when it is in progress, and stops when it is completed."
    ended, conclusion = action == "completed", _text(run.get("conclusion"))
    data = {
        "event": "workflow_run",
        "status": conclusion if ended else "in_progress",
        "description": _text(run.get("display_title")),
        "workflow": _text(run.get("name")),
        "ref": _text(run.get("head_branch")),
        "sha": _text(run.get("head_sha")),
        "url": _link(run, "html_url"),
        "requestId": f"github-run-{run.get('id')}-{run.get('run_attempt', 1)}",
    }
    return _event(
        payload,
        about=_text(run.get("name")),
        state="stop" if ended else "start",
        time=run.get("updated_at") if ended else run.get("run_started_at"),
        said=f"run {conclusion or 'ended'}" if ended else "run is in progress",
        data=data,
    )


def _release(payload: Mapping[str, Any]) -> dict[str, Any] | str:
    release = _part(payload, "release")
    if _text(payload.get("action")) != "published":
        return "Only a release that is published says something new."
    version = _text(release.get("tag_name"))
    data = {
        "event": "release",
        "version": version,
        "ref": _text(release.get("target_commitish")),
        "description": _text(release.get("name")),
        "prerelease": release.get("prerelease") is True,
        "url": _link(release, "html_url"),
    }
    said = f"release {version} published"
    return _event(payload, about="", state=None, time=release.get("published_at"), said=said, data=data)


_READERS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any] | str]] = {
    "deployment": _deployment,
    "deployment_status": _deployment_status,
    "workflow_run": _workflow_run,
    "release": _release,
}


def _of_deployment(payload: Mapping[str, Any], deployment: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "environment": _text(deployment.get("environment")),
        "description": _text(deployment.get("description")),
        "task": _text(deployment.get("task")),
        "ref": _text(deployment.get("ref")),
        "sha": _text(deployment.get("sha")),
        "url": _link(_part(payload, "workflow_run"), "html_url")
        or _link(_part(payload, "repository"), "html_url"),
        "requestId": f"github-deployment-{deployment.get('id')}",
    }


def _event(
    payload: Mapping[str, Any],
    *,
    about: str,
    state: str | None,
    time: Any,
    said: str,
    data: Mapping[str, Any],
) -> dict[str, Any]:
    repository = _text(_part(payload, "repository").get("full_name")) or "unknown"
    subject = f"{repository}/{about}" if about else repository
    known = {"repository": repository, "actor": _text(_part(payload, "sender").get("login")), **data}
    if data.get("status") in _BAD_ENDS:
        known["error"] = said
    known["message"] = f"{subject}: {said}"[:_LONGEST_MESSAGE]
    event = {
        "type": TYPE,
        "subject": subject[:_LONGEST_TEXT],
        "state": state,
        "time": time if isinstance(time, str) else None,
        "data": {name: value for name, value in known.items() if value not in ("", None)},
    }
    return {name: value for name, value in event.items() if value is not None}


def _part(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = payload.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    """A text as a line of printable characters, cut; "" for anything else."""
    if not isinstance(value, str):
        return ""
    line = "".join(one if one.isprintable() else " " for one in value)
    return " ".join(line.split())[:_LONGEST_TEXT]


def _link(part: Mapping[str, Any], *names: str) -> str:
    links = (_text(part.get(name)) for name in names)
    return next((link for link in links if link.startswith(("https://", "http://"))), "")
