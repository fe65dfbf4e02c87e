"""Six servers of one sandbox: HTTP/1.1 with keep-alive on loopback, for IPv4 and IPv6 alike."""

import errno
import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from webapp.sandbox.console import new_console
from webapp.sandbox.desk import DEFAULT_REDIRECT
from webapp.sandbox.world import PORTS, World, new_world

log = logging.getLogger(__name__)

IDLE_SECONDS = 75
TRIES = 20


class Handler(WSGIRequestHandler):
    """Answers request after request on one connection, which Werkzeug's own handler does not."""

    server: "Server"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def run_wsgi(self) -> None:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            pieces, status, headers = run_wsgi_app(self.server.app, self.make_environ())
            with ExitStack() as stack:
                if hasattr(pieces, "close"):
                    stack.callback(pieces.close)
                self._send_head(status, headers)
                for piece in pieces:
                    self.wfile.write(piece)
        except OSError:
            # A fault closes the connection this way, and so does a client that went away.
            self.close_connection = True

    def _send_head(self, status: str, headers: Headers) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers.to_wsgi_list():
            self.send_header(name, value)
        self.end_headers()

    def version_string(self) -> str:
        return "hitchpost-sandbox"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        # Never the query string: an install's code comes in one.
        log.debug("%s %s %s", self.command, self.path.partition("?")[0], code)

    def log_error(self, format: str, *args: object) -> None:
        # A connection that idles or breaks is nothing to tell a terminal; and what is told may hold a query.
        log.debug("a connection ended: %s", format)


class Server(ThreadedWSGIServer):
    """One address; it knows its connections, so that closing it ends them too."""

    def __init__(self, listener: socket.socket, app: Flask) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(host, port, app, handler=Handler, fd=listener.fileno())
        self.connections: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Sandbox:
    """A running sandbox. `urls` has the address of each vendor by its name in PORTS."""

    def __init__(self, world: World, servers: list[Server], urls: dict[str, str]) -> None:
        self.world, self.urls, self._servers = world, urls, servers

    def wait(self) -> None:
        """Return when the sandbox was closed, by another thread or a signal handler."""
        self.world.desk.closing.wait()

    def close(self) -> None:
        """Stop answering on every port, and end the connections that are open."""
        self.world.desk.closing.set()
        with ThreadPoolExecutor(len(self._servers) or 1) as pool:
            list(pool.map(Server.close, self._servers))
        self._servers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(
    port: int = 8100,
    redirect_url: str = DEFAULT_REDIRECT,
    public_host: str = "localhost",
    *,
    ready: Callable[[], None] | None = None,
) -> Sandbox:
    """Start the sandbox on `port` to `port` + 5, or on six free ports for 0, and return it running.

    Raises OSError naming the port that is taken. `ready` is called once every port answers.
    """
    world = new_world(redirect_url)
    apps = {"console": new_console(world), **world.vendor_apps()}
    with ExitStack() as stack:
        listeners = {name: _listeners(port + place if port else 0, stack) for place, name in enumerate(PORTS)}
        ports = {name: pair[0].getsockname()[1] for name, pair in listeners.items()}
        urls = {name: f"http://{public_host}:{number}" for name, number in ports.items()}
        world.desk.urls.update(urls)
        world.begin_with(last9_host=urls["last9"].removeprefix("http://"))
        servers = [Server(listener, apps[name]) for name, pair in listeners.items() for listener in pair]
    if ready:
        ready()
    return Sandbox(world, servers, urls)


def _listeners(port: int, stack: ExitStack) -> list[socket.socket]:
    """Listen on 127.0.0.1 and, where there is IPv6, on ::1: a browser may take localhost for either."""
    for _ in range(TRIES):
        first = stack.enter_context(_listen(socket.AF_INET, "127.0.0.1", port))
        try:
            second = _listen(socket.AF_INET6, "::1", first.getsockname()[1])
            return [first, stack.enter_context(second)]
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                return [first]
            first.close()
            if port:
                raise
    raise OSError(errno.EADDRINUSE, "no port is free on both 127.0.0.1 and ::1")


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(
                error.errno, f"port {port} is taken; the sandbox needs six ports in a row"
            ) from error
        raise
    return listener
