"""The neighbours' vendor: one that is well, or dead, slow or flapping while it is told to be.

It serves in a thread of this process, a connection a request, for it is asked little. Its port is kept bound
while nobody listens there, so that nobody else can have it.
"""

import socket
import threading
import time
from contextlib import suppress
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: how long a slow one takes
SLOW_SECONDS = 30.0
#: of a flapping one: so long down, so long up
FLAP_SECONDS = 1.0


class Mood(StrEnum):
    """How the vendor is."""

    WELL = "well"
    #: nobody listens
    DEAD = "dead"
    #: calls are taken and answered after half a minute
    SLOW = "slow"
    #: 503 and 202 in turns
    FLAPPING = "flapping"


class Neighbour:
    """The vendor; `failed` counts the requests that reached it since its last change and were not taken."""

    def __init__(self) -> None:
        self._holder = _bound(0)
        self.port = self._holder.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.mood = Mood.DEAD
        self.failed = 0
        self._since = 0.0
        self._changed = threading.Event()
        self._server: _Server | None = None
        self.be(Mood.WELL)

    def be(self, mood: Mood) -> None:
        """Change; whoever is kept waiting loses the connection."""
        self._changed.set()
        self._changed = threading.Event()
        self.mood, self._since = mood, time.monotonic()
        self.failed = 0
        if mood is Mood.DEAD:
            self._hang_up()
        elif self._server is None:
            self._server = _Server(self)

    def close(self) -> None:
        """End it."""
        self.be(Mood.DEAD)
        self._holder.close()

    def takes(self) -> bool | None:
        """Whether a request is taken that is here now; None: it is not to be answered."""
        up = (time.monotonic() - self._since) // FLAP_SECONDS % 2 > 0
        if self.mood is Mood.WELL or (self.mood is Mood.FLAPPING and up):
            return True
        self.failed += 1
        if self.mood is not Mood.SLOW:
            return False
        return None if self._changed.wait(SLOW_SECONDS) else True

    def _hang_up(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, neighbour: Neighbour) -> None:
        super().__init__(("127.0.0.1", neighbour.port), _Handler)
        self.neighbour = neighbour
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        taken = self.server.neighbour.takes()
        if taken is None:
            return
        with suppress(OSError):  # who asked may have gone
            self.send_response(202 if taken else 503)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _bound(port: int) -> socket.socket:
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held
