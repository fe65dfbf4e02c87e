"""The simulated Baselime, as a test and an attacker use it."""

import http.client
import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import Page, expect

from webapp.sandbox import Sandbox
from webapp.sandbox.baselime.accounts import DEFAULT_CLIENT_ID

_CONSENT = f"/integrations/{DEFAULT_CLIENT_ID}"
_FORM = "application/x-www-form-urlencoded"


class Baselime:
    """Speaks to one sandbox. Developers: ada and carol share acme, bob has birch alone, dora has nothing."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.console = sandbox.urls["baselime"]
        self._control = sandbox.urls["console"]

    def authorize(self, page: Page, developer: str = "ada") -> None:
        """Press the button of the consent page, which must be open."""
        expect(page.get_by_role("heading", name="Connect Hitchpost demo to Baselime")).to_be_visible()
        page.locator(f"input[value='{developer}']").check()
        page.get_by_role("button", name="Authorize Access").click()

    def visit(self, page: Page, developer: str = "ada") -> None:
        """Console-first: the developer installs at Baselime, and nobody here asked for it."""
        page.goto(self.console + _CONSENT)
        self.authorize(page, developer)

    def code(self, developer: str = "ada") -> str:
        """A code kept back from its redirect, as an attacker would."""
        body = urlencode({"developer": developer})
        _, location = self._send(self.console, "POST", _CONSENT, body, _FORM)
        return parse_qs(urlsplit(location).query)["code"][0]

    def count(self, what: str = "baselime.token.authorization_code") -> int:
        """How many requests of that sort came in."""
        return int(self._control_call("GET", "/api/counts").get(what, 0))

    def fault(self, kind: str, *, endpoint: str = "token", **more: Any) -> None:
        """Switch a fault on."""
        fault = {"vendor": "baselime", "endpoint": endpoint, "kind": kind, **more}
        self._control_call("POST", "/api/faults", fault)

    def settings(self, **values: Any) -> None:
        """Change how long codes and tokens live."""
        self._control_call("POST", "/api/settings", values)

    def events(self, type: str | None = None) -> list[dict[str, Any]]:
        """What arrived, in order: `account` and `event`; of one type, if named."""
        taken = self._control_call("GET", "/api/received?vendor=baselime")["received"]
        return [one for one in taken if type is None or one["event"].get("type") == type]

    def add_environment(self, workspace: str, environment: str, developer: str) -> None:
        """One more environment that a developer may grant."""
        asked = {"workspaceId": workspace, "environmentId": environment, "developer": developer}
        self._control_call("POST", "/api/accounts/baselime/environments", asked)

    def reset(self) -> None:
        """As at the start."""
        self._control_call("POST", "/api/reset")
        self._control_call("DELETE", "/api/faults")

    def _control_call(self, method: str, path: str, body: Any = None) -> Any:
        payload = None if body is None else json.dumps(body)
        text, _ = self._send(self._control, method, path, payload, "application/json")
        return json.loads(text) if text else None

    def _send(self, base: str, method: str, path: str, body: str | None, kind: str) -> tuple[str, str]:
        connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=10)
        try:
            connection.request(method, path, body, {"Content-Type": kind} if body is not None else {})
            answer = connection.getresponse()
            text = answer.read().decode()
            assert answer.status < 400, (method, path, answer.status, text)
            return text, answer.headers.get("Location", "")
        finally:
            connection.close()
