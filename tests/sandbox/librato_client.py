"""Asking the simulated Librato as one of its roles."""

import base64
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from webapp.sandbox import World


class Asker:
    """A client of one account that speaks with the API token of a role."""

    def __init__(self, client: FlaskClient, world: World) -> None:
        self.client, self.account = client, world.librato.account()

    def __call__(self, method: str, path: str, role: str = "admin", /, **more: Any) -> TestResponse:
        tokens = self.account["tokens"]
        assert isinstance(tokens, dict)
        headers = basic(str(self.account["email"]), tokens[role]) | more.pop("headers", {})
        answer: TestResponse = self.client.open(path, method=method, headers=headers, **more)
        return answer


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
