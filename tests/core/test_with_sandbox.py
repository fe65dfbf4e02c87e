"""The same promises against the simulated Baselime, over real HTTP."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from sqlalchemy import select

from tests.runtimes import running
from webapp.core import connections, environments, installs, refresh, sessions, users
from webapp.core.audit import HITCHPOST
from webapp.core.environments import Diff
from webapp.core.installs import Browser, Callback, Ending, Received
from webapp.core.runtime import Runtime
from webapp.lib.http import Http, Request, Response
from webapp.lib.secret import Secret
from webapp.models import (
    Connection,
    ConnectionState,
    Credential,
    CredentialKind,
    Install,
    InstallState,
    SessionKind,
    UserSession,
)
from webapp.providers.base import Installs
from webapp.sandbox import Sandbox, serve

CLIENT_SECRET = "sandbox-client-secret-worth-nothing"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(port=0) as running_sandbox:
        yield running_sandbox


@pytest.fixture
def runtime(tables_url: str, sandbox: Sandbox) -> Iterator[Runtime]:
    control(sandbox, "POST", "/api/reset")
    control(sandbox, "DELETE", "/api/faults")
    urls = {f"{name}_url": address for name, address in sandbox.urls.items() if name.startswith("baselime_")}
    with running(
        tables_url,
        baselime_client_id="sandbox-client-hitchpost-demo",
        baselime_client_secret=CLIENT_SECRET,
        baselime_console_url=sandbox.urls["baselime"],
        baselime_api_url=sandbox.urls["baselime"],
        **urls,
    ) as made:
        yield made


def control(sandbox: Sandbox, method: str, path: str, body: object = None) -> Any:
    """Call the sandbox's control API."""
    answer = call(
        Request(
            method=method,
            url=sandbox.urls["console"] + path,
            headers={"content-type": "application/json"},
            body=b"" if body is None else json.dumps(body).encode(),
        )
    )
    assert answer.status < 300, answer.body
    return json.loads(answer.body)


def call(request: Request) -> Response:
    with closing(Http(allow_private=True)) as http:
        return http.send(request)


def consent(runtime: Runtime, developer: str) -> str:
    """Press the button on the consent page as that developer; the code of the redirect."""
    baselime = runtime.providers["baselime"]
    assert isinstance(baselime, Installs)
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = urlencode({"developer": developer}).encode()
    answer = call(Request(method="POST", url=baselime.install_url(), headers=form, body=body))
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


def receive(runtime: Runtime, code: str, who: UserSession | None = None) -> Received:
    origin = runtime.settings.baselime_console_url
    return installs.receive_code(
        runtime,
        Callback(
            provider="baselime",
            code=Secret(code),
            user_session_id=who.id if who else None,
            referer_origin=origin,
        ),
    )


def connect(runtime: Runtime, who: UserSession, developer: str = "ada") -> Connection:
    with runtime.database.write() as session:
        installs.begin(session, who, runtime.providers["baselime"])
    received = receive(runtime, consent(runtime, developer), who)
    page = installs.open_page(runtime, received.install_id, Browser(session=who))
    return installs.confirm(runtime, received.install_id, Browser(session=who), seal=page.seal)


def test_the_whole_life_of_a_connection(runtime: Runtime, ada: UserSession, sandbox: Sandbox) -> None:
    connection = connect(runtime, ada)
    assert connection.label == "acme"
    with runtime.database.write() as session:
        connections.refresh_now(session, HITCHPOST, connection.id)
    assert refresh.sweep(runtime) == 1
    control(
        sandbox,
        "POST",
        "/api/accounts/baselime/environments/rotate-key",
        {"workspaceId": "acme", "environmentId": "prod"},
    )
    control(
        sandbox,
        "POST",
        "/api/accounts/baselime/environments",
        {"workspaceId": "acme", "environmentId": "qa"},
    )
    assert environments.fetch(runtime, connection.id) == Diff(new=("acme/qa",), rekeyed=("acme/prod",))
    connections.disconnect(runtime, HITCHPOST, connection.id)
    counts = control(sandbox, "GET", "/api/counts")
    assert counts["baselime.token.authorization_code"] == 1
    assert counts["baselime.token.refresh_token"] == 1


def test_a_proof_is_read_in_the_workspace(runtime: Runtime, ada: UserSession, sandbox: Sandbox) -> None:
    received = receive(runtime, consent(runtime, "bob"), ada)
    browser = Browser(session=ada)
    assert installs.open_page(runtime, received.install_id, browser).needs_proof
    installs.start_proof(runtime, received.install_id, browser)
    (arrived,) = control(sandbox, "GET", "/api/received?vendor=baselime")["received"]
    assert arrived["account"] == "birch/prod"
    code = re.search(r"[0-9A-Z]{5}-[0-9A-Z]{5}", arrived["event"]["message"])
    assert code is not None
    assert installs.check_proof(runtime, received.install_id, browser, Secret(code[0]))
    page = installs.open_page(runtime, received.install_id, browser)
    assert installs.confirm(runtime, received.install_id, browser, seal=page.seal).label == "birch"


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        ({"kind": "html"}, Ending.VENDOR_UNCLEAR),
        ({"kind": "drop_after"}, Ending.VENDOR_UNCLEAR),
        ({"kind": "truncate"}, Ending.VENDOR_UNCLEAR),
        ({"kind": "empty"}, Ending.VENDOR_NONSENSE),
        ({"kind": "bad_json"}, Ending.VENDOR_NONSENSE),
        ({"kind": "status", "status": 400}, Ending.CODE_REFUSED),
        ({"kind": "status", "status": 401}, Ending.CLIENT_REFUSED),
        ({"kind": "status", "status": 500}, Ending.VENDOR_UNCLEAR),
    ],
)
def test_every_fault_has_its_end(
    runtime: Runtime, ada: UserSession, sandbox: Sandbox, fault: dict[str, Any], ending: Ending
) -> None:
    code = consent(runtime, "ada")
    control(sandbox, "POST", "/api/faults", {"vendor": "baselime", "endpoint": "token", **fault})
    received = receive(runtime, code, ada)
    page = installs.open_page(runtime, received.install_id, Browser(session=ada))
    assert (page.ending, page.state) == (ending, InstallState.FAILED)


@pytest.mark.parametrize("developer", ["dora"])
def test_a_developer_without_environments_is_told_so(
    runtime: Runtime, ada: UserSession, developer: str
) -> None:
    received = receive(runtime, consent(runtime, developer), ada)
    page = installs.open_page(runtime, received.install_id, Browser(session=ada))
    assert page.ending is Ending.NO_ENVIRONMENT


def test_an_expired_code_is_refused(runtime: Runtime, ada: UserSession, sandbox: Sandbox) -> None:
    control(sandbox, "POST", "/api/settings", {"code_seconds": 0})
    received = receive(runtime, consent(runtime, "ada"), ada)
    control(sandbox, "POST", "/api/settings", {"code_seconds": 180})
    page = installs.open_page(runtime, received.install_id, Browser(session=ada))
    assert (page.ending, page.words) == (Ending.CODE_REFUSED, "The code has expired")


def test_a_busy_vendor_is_tried_again_with_the_same_code(
    runtime: Runtime, ada: UserSession, sandbox: Sandbox
) -> None:
    code = consent(runtime, "ada")
    control(
        sandbox,
        "POST",
        "/api/faults",
        {"vendor": "baselime", "endpoint": "token", "kind": "status", "status": 503, "times": 1},
    )
    received = receive(runtime, code, ada)
    with runtime.database.write() as session:
        session.get_one(Install, received.install_id).tries = 0
    page = installs.open_page(runtime, received.install_id, Browser(session=ada))
    assert page.state is InstallState.PENDING


def test_rotating_refresh_tokens_survive_many_refreshes(
    runtime: Runtime, ada: UserSession, sandbox: Sandbox
) -> None:
    connection = connect(runtime, ada)
    control(sandbox, "POST", "/api/faults", {"vendor": "baselime", "endpoint": "token", "kind": "rotate"})
    with runtime.database.read() as session:
        grant = session.scalars(
            select(Credential).where(
                Credential.connection_id == connection.id, Credential.kind == CredentialKind.GRANT
            )
        ).one()
    for _ in range(5):
        assert refresh.refresh_one(runtime, grant.id) is refresh.Outcome.RENEWED
    with runtime.database.read() as session:
        assert session.get_one(Connection, connection.id).state is ConnectionState.ACTIVE


@pytest.fixture
def ada(runtime: Runtime) -> UserSession:
    with runtime.database.write() as session:
        user = users.ensure_external(session, "ada")
        cookie = sessions.open(session, user.id, SessionKind.CONNECT)
        session.flush()
        found = sessions.find(session, cookie)
        assert found is not None
        return found
