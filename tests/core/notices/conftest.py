"""An instance whose mails and webhooks go to real receivers on loopback."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from sqlalchemy import select

from tests.fake_vendor import CLIENT_KEY
from tests.receivers import SECRET, App, Mailbox, mail_server
from webapp.core import users
from webapp.core.runtime import Runtime
from webapp.lib.http import Http
from webapp.lib.ids import uuid7
from webapp.lib.mail import Mailer, Server
from webapp.models import Connection, ConnectionState, Errand, Incident, Role, User

Pass = Callable[[float], None]
MakeConnection = Callable[..., Connection]


@pytest.fixture(scope="module")
def mail_port() -> Iterator[tuple[Mailbox, int]]:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        yield mailbox, port


@pytest.fixture
def mailbox(mail_port: tuple[Mailbox, int]) -> Mailbox:
    mailbox, _ = mail_port
    mailbox.__init__()  # type: ignore[misc]  # empty again
    return mailbox


@pytest.fixture
def app(httpserver: HTTPServer) -> App:
    return App(httpserver)


@pytest.fixture
def house(runtime: Runtime, mailbox: Mailbox, mail_port: tuple[Mailbox, int], app: App) -> Iterator[Runtime]:
    """The instance, with both ways out, and alice to administer it."""
    settings = runtime.settings.model_copy(
        update={
            "webhook_url": app.url,
            "webhook_secret": SecretStr(SECRET),
            "continue_url": "https://app.test/",
        }
    )
    mailer = Mailer(Server("smtp", "127.0.0.1", mail_port[1]), "Hitchpost <post@example.org>", "post.test")
    with runtime.database.write() as session:
        session.add(User(email="alice@example.org", role=Role.ADMIN))
    http = Http(allow_private=True)
    yield replace(runtime, settings=settings, mailer=mailer, app_http=http)
    http.close()


@pytest.fixture
def make_connection(runtime: Runtime) -> MakeConnection:
    """Call it for an active connection of somebody with that e-mail, or of the host app's user."""

    def make(name: str = "acme", *, email: str | None = None) -> Connection:
        with runtime.database.write() as session:
            owner = users.ensure_external(session, f"u_{name}").id
            if email is not None:
                owner = uuid7()
                session.add(User(id=owner, email=email))
                session.flush()
            connection = Connection(
                id=uuid7(),
                user_id=owner,
                provider="baselime",
                client_key=CLIENT_KEY,
                label=name,
                state=ConnectionState.ACTIVE,
                details={},
            )
            session.add(connection)
            return connection

    return make


@pytest.fixture
def pass_time(runtime: Runtime) -> Pass:
    """Call it to let so many seconds pass for every errand and incident."""

    def shift(seconds: float) -> None:
        earlier = timedelta(seconds=seconds)
        with runtime.database.write() as session:
            for errand in session.scalars(select(Errand)):
                for name in ("due_at", "first_tried_at", "created_at"):
                    moment = getattr(errand, name)
                    setattr(errand, name, moment and moment - earlier)
            for incident in session.scalars(select(Incident)):
                for name in ("began_at", "due_at", "told_at", "over_at"):
                    moment = getattr(incident, name)
                    setattr(incident, name, moment and moment - earlier)

    return shift


@pytest.fixture
def errands(runtime: Runtime) -> Callable[[], list[Errand]]:
    """Call it for every errand, oldest first."""

    def read() -> list[Errand]:
        with runtime.database.read() as session:
            return list(session.scalars(select(Errand).order_by(Errand.id)))

    return read


@pytest.fixture
def state_of(runtime: Runtime) -> Callable[[UUID], ConnectionState]:
    """Call it for a connection's state."""

    def read(connection_id: UUID) -> ConnectionState:
        with runtime.database.read() as session:
            return session.get_one(Connection, connection_id).state

    return read
