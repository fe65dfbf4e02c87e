"""What every answer tells the browser."""

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.runtimes import running
from tests.ui.access import TABLE
from tests.ui.world import World
from webapp.app import create_app

GETS = sorted(route.partition(" ")[2] for route in TABLE if route.startswith("GET "))
FILES = {"/static/<path:filename>", "/bootstrap/static/<path:filename>", "/assets/htmx.min.js"}


@pytest.mark.parametrize("rule", GETS)
@pytest.mark.parametrize("who", ["alice", None])
def test_every_answer_is_dressed(world: World, rule: str, who: str | None) -> None:
    with world.client(who).get(world.address(rule)) as answer:
        _check(answer, is_file=rule in FILES)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/api/v1/nowhere", "/healthz", "/connections/not-an-id", "/%00"]
)
def test_refusals_are_dressed_too(world: World, path: str) -> None:
    _check(world.client("alice").get(path), is_file=False)
    _check(world.client("alice").post(path), is_file=False)


def _check(answer: TestResponse, *, is_file: bool) -> None:
    headers = answer.headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    for closed in ("base-uri", "object-src", "frame-ancestors"):
        assert policy[closed] == "'none'"
    assert re.fullmatch(r"'none'|'nonce-[A-Za-z0-9_-]{22}'", policy["script-src"])
    assert policy["style-src"] == policy["font-src"] == policy["connect-src"] == "'self'"
    assert policy["form-action"].split()[0] == "'self'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
    assert "camera=()" in headers["Permissions-Policy"]
    assert is_file or headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in headers


def test_a_nonce_is_of_one_answer_and_on_every_script(world: World) -> None:
    client = world.client("alice")
    first, second = client.get("/admin/people"), client.get("/admin/people")
    nonces = []
    for answer in (first, second):
        scripts = re.findall(r"<script([^>]*)>", answer.text)
        found = {match[1] for script in scripts if (match := re.search(r'nonce="([^"]+)"', script))}
        assert len(scripts) >= 3
        assert all("nonce=" in script for script in scripts)
        assert len(found) == 1
        assert f"'nonce-{found.copy().pop()}'" in answer.headers["Content-Security-Policy"]
        nonces.append(found.pop())
    assert nonces[0] != nonces[1]


@pytest.mark.parametrize("rule", [rule for rule in GETS if rule not in FILES])
def test_no_page_styles_or_scripts_inline_or_loads_from_elsewhere(world: World, rule: str) -> None:
    page = world.client("alice").get(world.address(rule)).text
    assert not re.search(r"<[^>]+\sstyle\s*=", page)
    assert not re.search(r"<[^>]+\son[a-z]+\s*=", page)
    assert not re.search(r"<(?:script|link|img|iframe|use)[^>]+(?:src|href)=\"(?:https?:)?//", page)


def test_addresses_that_hold_a_secret_are_named_to_nobody(world: World) -> None:
    for path in (
        f"/invite/{world.things['link']}",
        f"/connect/session/{world.connect_link()}",
        "/invite/unknown",
    ):
        assert world.client().get(path).headers["Referrer-Policy"] == "no-referrer"


@pytest.fixture
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A browser before an instance that runs in production, behind one proxy that ends TLS."""
    url = f"sqlite:///{tmp_path_factory.mktemp('secure') / 'hitchpost.db'}"
    settings = {"stage": "production", "public_url": "https://hitch.example.org", "trusted_proxies": 1}
    with running(url, **settings) as runtime:
        yield create_app(runtime).test_client()


SENT = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "hitch.example.org", "X-Forwarded-For": "192.0.2.7"}


def test_in_production_cookies_are_bound_to_the_host_and_tls(secure: FlaskClient) -> None:
    answer = secure.get("/sign-in", headers=SENT)
    assert answer.status_code == 200
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-hitchpost-session=")
    parts = set(cookie.split("; ")[1:])
    assert parts == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
    assert int(re.findall(r"max-age=(\d+)", answer.headers["Strict-Transport-Security"])[0]) >= 31_536_000


@pytest.mark.parametrize("host", ["evil.test", "localhost", "127.0.0.1", "hitch.example.org.evil.test"])
def test_in_production_only_the_own_name_is_answered(secure: FlaskClient, host: str) -> None:
    answer = secure.get("/sign-in", headers={**SENT, "X-Forwarded-Host": host})
    assert answer.status_code == 400
    assert host not in answer.text


def test_in_development_loopback_is_answered_and_strangers_are_not(world: World) -> None:
    client = world.client()
    assert client.get("/sign-in", base_url="http://127.0.0.1:8000").status_code == 200
    assert client.get("/sign-in", base_url="http://evil.test").status_code == 400


def test_forwarded_headers_count_only_from_a_trusted_proxy(world: World) -> None:
    answer = world.client().get("/sign-in", headers={"X-Forwarded-Host": "evil.test", "Host": "localhost"})
    assert answer.status_code == 200
    assert "evil.test" not in answer.text
