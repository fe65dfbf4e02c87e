"""`hitchpost notices`: an operator sees that mails and webhooks arrive before they matter."""

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from tests.cli.conftest import Call
from tests.receivers import App, Mailbox, mail_server


@pytest.fixture
def app(httpserver: HTTPServer) -> App:
    return App(httpserver)


def test_without_any_way_it_says_what_to_set(call: Call) -> None:
    call("setup")
    tried = call("notices", "test")
    assert tried.returncode == 1
    assert (
        tried.stdout
        == "– no mail: HITCHPOST_SMTP_URL is empty\n– no webhook: HITCHPOST_WEBHOOK_URL is empty\n"
    )


def test_a_test_goes_every_way_and_tells_what_was_answered(call: Call, app: App, tmp_path: Path) -> None:
    call("setup")
    secret = call("notices", "secret").stdout.strip()
    assert secret.startswith("whsec_")
    app.secrets = [secret]
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        ways = {
            "HITCHPOST_SMTP_URL": f"smtp://127.0.0.1:{port}",
            "HITCHPOST_MAIL_FROM": "Hitchpost <post@example.org>",
            "HITCHPOST_WEBHOOK_URL": app.url,
            "HITCHPOST_WEBHOOK_SECRET": secret,
            "HITCHPOST_ALLOW_PRIVATE_WEBHOOK": "true",
        }
        assert call("check", **ways).stdout == "✓ no fault found\n"
        tried = call("notices", "test", **ways)
        assert (tried.returncode, tried.stdout) == (
            0,
            "✓ mail to admin@example.com: taken\n✓ webhook to the host app: taken\n",
        )
        app.answers = [Response(status=500)]
        again = call("notices", "test", "--to", "nobody@example.org", **ways)
        assert (again.returncode, "Nobody here has" in again.stderr) == (1, True)
        again = call("notices", "test", **ways)
        assert (again.returncode, again.stdout.splitlines()[-1]) == (
            1,
            "✗ webhook to the host app: answered 500",
        )
    assert (mailbox.receivers, app.types) == (["admin@example.com"] * 2, ["hitchpost.test"])
