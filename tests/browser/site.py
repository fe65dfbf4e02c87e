"""A running Hitchpost beside a running sandbox, for a browser: real sockets and a worker loop."""

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Flask
from playwright.sync_api import BrowserContext
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from webapp.app import create_app
from webapp.core import environments, notices, passwords, refresh, sessions
from webapp.core.credentials import make_vault_key
from webapp.core.delivery import drain
from webapp.core.runtime import Bell, Runtime
from webapp.lib.secret import Secret
from webapp.models import Base, Role, SessionKind, User
from webapp.sandbox import Sandbox, serve
from webapp.sandbox.baselime.accounts import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from webapp.settings import Settings

PASSWORD = "four quiet words here"
#: The one origin that connect sessions may return to.
APP_ORIGIN = "http://localhost:1"


@dataclass(frozen=True)
class Site:
    """Hitchpost at `url` (127.0.0.1), the vendors at `sandbox.urls` (localhost: another site for cookies)."""

    url: str
    app: Flask
    runtime: Runtime
    sandbox: Sandbox
    #: ids by name: alice administers, bob and dan are members
    people: dict[str, UUID] = field(default_factory=dict)

    def sign_in(self, context: BrowserContext, who: str, kind: SessionKind = SessionKind.LOGIN) -> None:
        """Give the browser a session, as the sign-in page would."""
        with self.runtime.database.write() as session:
            value = sessions.open(session, self.people[who], kind)
        serializer = self.app.session_interface.get_signing_serializer(self.app)  # type: ignore[attr-defined]  # Flask's own
        assert serializer is not None
        cookie = serializer.dumps({"sid": value.reveal()})
        name = self.app.config["SESSION_COOKIE_NAME"]
        context.add_cookies(
            [{"name": name, "value": cookie, "url": self.url, "httpOnly": True, "sameSite": "Lax"}]
        )


def _whole(app: Flask) -> Callable[..., list[bytes]]:
    """Read every answer before it is sent: Werkzeug leaves a file open when a browser hangs up on it."""

    def answer(environ: Any, start_response: Any) -> list[bytes]:
        body = app(environ, start_response)
        try:
            return [b"".join(body)]
        finally:
            if hasattr(body, "close"):
                body.close()

    return answer


@contextmanager
def running_site(folder: Path, **settings: Any) -> Iterator[Site]:
    """Start both, with an empty database in `folder`; `settings` override."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        sandbox = stack.enter_context(serve(0, f"{url}/install/baselime/callback"))
        bell = threading.Event()

        def wake(_: Bell) -> None:
            bell.set()

        runtime = Runtime.start(_settings(folder, url, sandbox.urls, settings), wake=wake)
        stack.enter_context(closing(runtime))
        Base.metadata.create_all(runtime.database.engine)
        app = create_app(runtime)
        server = make_server(
            "127.0.0.1", 0, _whole(app), threaded=True, request_handler=_Quiet, fd=listener.fileno()
        )
        stack.enter_context(_serving(server))
        stack.enter_context(_working(runtime, bell))
        site = Site(url, app, runtime, sandbox)
        _add_people(site)
        yield site


def _settings(folder: Path, url: str, vendors: dict[str, str], more: dict[str, Any]) -> Settings:
    values = {
        "public_url": url,
        "database_url": f"sqlite:///{folder / 'hitchpost.db'}",
        "vault_keys": make_vault_key(),
        "secret_key": secrets.token_urlsafe(40),
        "baselime_client_id": DEFAULT_CLIENT_ID,
        "baselime_client_secret": DEFAULT_CLIENT_SECRET,
        "baselime_console_url": vendors["baselime"],
        "baselime_api_url": vendors["baselime"],
        "baselime_events_url": vendors["baselime_events"],
        "baselime_otel_url": vendors["baselime_otel"],
        "last9_url": vendors["last9"],
        "last9_hosts": ("localhost",),
        "librato_url": vendors["librato"],
        "allow_private_vendors": True,
        "app_name": "Shipyard",
        "return_origins": (APP_ORIGIN,),
        **more,
    }
    return Settings(**values)


def _add_people(site: Site) -> None:
    password_hash = passwords.hash_password(Secret(PASSWORD))
    with site.runtime.database.write() as session:
        for name, role in (("alice", Role.ADMIN), ("bob", Role.MEMBER), ("dan", Role.MEMBER)):
            user = User(email=f"{name}@example.org", role=role, password_hash=password_hash)
            session.add(user)
            session.flush()
            site.people[name] = user.id


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def _serving(server: BaseWSGIServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def _working(runtime: Runtime, bell: threading.Event) -> Iterator[None]:
    """What a worker does: sweep when the bell rings, or twice a second."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            bell.wait(0.5)
            bell.clear()
            environments.sweep(runtime)
            refresh.sweep(runtime, limit=10)
            drain(runtime, seconds=0.2)
            notices.sweep(runtime)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        bell.set()
        thread.join()
