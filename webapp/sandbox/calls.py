"""The control API, described call by call for the console page."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ControlCall:
    """One call: what it is for, and a body to try it with."""

    method: str
    path: str
    purpose: str
    body: str = ""


ENVIRONMENT = '{"workspaceId": "acme", "environmentId": "qa"}'

CALLS = (
    ControlCall("GET", "/api/accounts", "Every account with the keys and tokens one needs to connect to it."),
    ControlCall(
        "GET",
        "/api/received?vendor=baselime&after=0",
        "Everything the vendors took, in order of arrival: all of it, of one vendor, or after item n.",
    ),
    ControlCall(
        "GET", "/api/calls?vendor=baselime&after=0", "Every request that came in, and how it was answered."
    ),
    ControlCall(
        "GET",
        "/api/counts",
        "Requests counted by vendor and endpoint; token requests by grant, baselime.token.refresh_token.",
    ),
    ControlCall("GET", "/api/faults", "The faults now switched on."),
    ControlCall(
        "POST",
        "/api/faults",
        "Switch a fault on. Left out: endpoint means all, times means until cleared.",
        '{"vendor": "baselime", "endpoint": "events", "kind": "status", "status": 503, "times": 3}',
    ),
    ControlCall("DELETE", "/api/faults", "Switch every fault off."),
    ControlCall(
        "POST",
        "/api/settings",
        "Change settings, for example to shorten lives. GET shows them all.",
        '{"code_seconds": 5, "access_token_seconds": 30}',
    ),
    ControlCall(
        "POST",
        "/api/accounts/baselime/environments",
        "Add an environment; a developer may be named, else it is ada's.",
        ENVIRONMENT,
    ),
    ControlCall("DELETE", "/api/accounts/baselime/environments", "Remove an environment.", ENVIRONMENT),
    ControlCall(
        "POST",
        "/api/accounts/baselime/environments/rotate-key",
        "Give an environment another API key; the old one is refused from now on.",
        '{"workspaceId": "acme", "environmentId": "prod"}',
    ),
    ControlCall(
        "POST",
        "/api/accounts/baselime/revoke",
        "Revoke everything a developer granted until now.",
        '{"developer": "ada"}',
    ),
    ControlCall(
        "POST",
        "/api/accounts/last9/revoke",
        "Revoke the refresh token of a scope and what was made from it; the account gets another.",
        '{"scope": "write"}',
    ),
    ControlCall("POST", "/api/reset", "Make everything as at the start."),
)
