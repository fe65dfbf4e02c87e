"""Neighbours of everybody, and their vendor: it is well, or dead, slow or flapping while it is told to be.

It serves in a thread of this process, a connection a request, for it is asked little. Its port is kept bound
while nobody listens there, so that nobody else can have it.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sqlalchemy import func, select

from tests.bench.forwarding.contestants import Ours
from tests.bench.forwarding.steady import Steady
from tests.waiting import wait_for
from webapp.models import Attempt, AttemptOutcome

#: how long a slow one takes
_SLOW_SECONDS = 30.0
#: of a flapping one: so long down, so long up
_FLAP_SECONDS = 1.0
#: events a second for all neighbours together: few, so that their own deliveries are no work to speak of
_TRICKLE = 2


class Mood(StrEnum):
    """How the vendor is."""

    WELL = "well"
    #: nobody listens
    DEAD = "dead"
    #: calls are taken and answered after half a minute
    SLOW = "slow"
    #: 503 and 202 in turns
    FLAPPING = "flapping"


TROUBLES = (Mood.DEAD, Mood.SLOW, Mood.FLAPPING)


class Vendor:
    """Their vendor; `failed` counts the requests that reached it since its last change and were not taken."""

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
        up = (time.monotonic() - self._since) // _FLAP_SECONDS % 2 > 0
        if self.mood is Mood.WELL or (self.mood is Mood.FLAPPING and up):
            return True
        self.failed += 1
        if self.mood is not Mood.SLOW:
            return False
        return None if self._changed.wait(_SLOW_SECONDS) else True

    def _hang_up(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Users whose events come in all the while, a few, and whose vendor may be in trouble."""

    users: Ours
    vendor: Vendor

    @contextmanager
    def being(self, mood: Mood) -> Iterator[None]:
        """Whatever happens here happens beside a vendor in this mood, from when every neighbour has an event.

        So with the beginning of trouble, which is the worst of it. Afterwards nothing of theirs is lost.
        """
        before = self._failed()
        self.vendor.be(mood)
        self.users.accept(len(self.users.users))
        if mood is not Mood.WELL:
            wait_for(lambda: self.vendor.failed or self._failed() > before, seconds=30)
        met, start = self.vendor.failed, time.monotonic()
        with Steady(where=self.users.stage, users=self.users.users, rate=_TRICKLE).going_on():
            yield
        if mood is Mood.FLAPPING:
            periods = (time.monotonic() - start) // (2 * _FLAP_SECONDS)
            assert self.vendor.failed - met >= periods - 1
        self.vendor.be(Mood.WELL)
        wait_for(lambda: self.users.behind() == 0 and self.users.is_at_rest(), seconds=60)

    def _failed(self) -> int:
        """Requests that failed, as the neighbours' pages show them."""
        failed = select(func.coalesce(func.sum(Attempt.requests), 0)).where(
            Attempt.destination_id.in_(self.users.destination_ids()),
            Attempt.outcome != AttemptOutcome.DELIVERED,
        )
        with self.users.stage.runtime.database.read() as session:
            return session.execute(failed).scalar_one()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, vendor: Vendor) -> None:
        super().__init__(("127.0.0.1", vendor.port), _Handler)
        self.vendor = vendor
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        taken = self.server.vendor.takes()
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
