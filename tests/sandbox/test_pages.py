"""The pages of all vendors: headers, and nothing fetched from elsewhere."""

import re

import pytest
from flask.testing import FlaskClient

from webapp.sandbox import World
from webapp.sandbox.console import new_console

PAGES = [
    ("console", "/"),
    ("baselime", "/"),
    ("baselime", "/integrations/sandbox-client-hitchpost-demo"),
    ("baselime", "/inbox/acme/prod"),
    ("baselime", "/nowhere"),
    ("last9", "/"),
    ("last9", "/settings/api-access"),
    ("last9", "/nowhere"),
    ("librato", "/"),
    ("librato", "/tokens"),
    ("librato", "/nowhere"),
]


@pytest.fixture
def clients(world: World) -> dict[str, FlaskClient]:
    apps = {"console": new_console(world), **world.vendor_apps()}
    return {name: app.test_client() for name, app in apps.items()}


@pytest.mark.parametrize(("name", "path"), PAGES)
def test_a_page_runs_its_own_scripts_and_loads_nothing_from_elsewhere(
    clients: dict[str, FlaskClient], name: str, path: str
) -> None:
    answer = clients[name].get(path)
    page, policy = answer.get_data(as_text=True), answer.headers["Content-Security-Policy"]
    nonces = set(re.findall(r'<script nonce="([^"]+)"', page))
    assert len(nonces) == 1
    assert f"script-src 'nonce-{nonces.pop()}'" in policy
    assert page.count("<script") == page.count("<script nonce=")
    assert not re.search(r'(?:src|style)="|<link[^>]+href="http', page)
    assert "SANDBOX" in page
    assert answer.status_code == (404 if path == "/nowhere" else 200)


def test_the_consent_form_may_lead_back_to_the_app(clients: dict[str, FlaskClient]) -> None:
    answer = clients["baselime"].get("/integrations/sandbox-client-hitchpost-demo")
    assert "form-action 'self' http://127.0.0.1:8000;" in answer.headers["Content-Security-Policy"]
    # The app checks that its visitor came from the console: the Referer has to be sent.
    assert "Referrer-Policy" not in answer.headers


def test_the_style_is_served_by_every_app(clients: dict[str, FlaskClient]) -> None:
    for name in ("console", "baselime", "last9", "librato"):
        with clients[name].get("/look/sandbox.css") as answer:
            assert answer.status_code == 200


def test_api_errors_are_no_pages(clients: dict[str, FlaskClient]) -> None:
    assert clients["baselime"].get("/oauth/nowhere").get_json() == {"message": "Not Found"}
    assert clients["last9"].get("/api/v4/nowhere").get_json() == {"error": "Not Found"}
    assert clients["console"].get("/api/nowhere").status_code == 404
