"""What receives notices in tests: a real mail server and a real web server that can be told to refuse."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from tests.services.processes import free_port
from webapp.api.webhook_schemas import SCHEMAS

SECRET = "whsec_" + "dGVzdC1zZWNyZXQtdGVzdC1zZWNyZXQtdGVzdA=="
OLD_SECRET = "whsec_" + "b2xkLXNlY3JldC1vbGQtc2VjcmV0LW9sZC1zZWM="


class Mailbox:
    """A mail server: what it took, and what it answers instead of taking."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        #: replies to the next mails; "": take it
        self.replies: list[str] = []
        #: called with each mail before it is answered
        self.during: Callable[[], object] = lambda: None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take the mail, unless told otherwise."""
        self.during()
        reply = self.replies.pop(0) if self.replies else ""
        if reply:
            return reply
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"

    @property
    def receivers(self) -> list[str]:
        """To whom, in order."""
        return [str(mail["To"]) for mail in self.mails]

    @property
    def receivers_at_once(self) -> list[str]:
        """The same without summaries, which leave by the clock on the wall."""
        return [str(mail["To"]) for mail in self.mails if not mail["Subject"].endswith("within an hour")]


class App:
    """A host app: the webhooks that it verified, and what it answers instead of taking them."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/hooks")
        self.told: list[dict[str, Any]] = []
        self.requests: list[Request] = []
        self.answers: list[Response] = []
        self.secrets = [SECRET]
        self._lock = threading.Lock()
        server.expect_request("/hooks", method="POST").respond_with_handler(self._take)

    def _take(self, request: Request) -> Response:
        body = request.get_data()
        with self._lock:
            self.requests.append(request)
            if self.answers:
                return self.answers.pop(0)
            for secret in self.secrets:
                told = Webhook(secret).verify(body, dict(request.headers))
                assert told["data"].keys() <= SCHEMAS["WebhookData"]["properties"].keys(), "undocumented"
                self.told.append(told)
            return Response(status=204)

    @property
    def types(self) -> list[str]:
        """What it was told, in order."""
        return [one["type"] for one in self.told]


@contextmanager
def mail_server(mailbox: Mailbox, **how: Any) -> Iterator[int]:
    """Serve `mailbox`; the port."""
    port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **how)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()
