"""A vendor's front that may lie: it passes requests on to the sandbox and answers what it likes.

What the vendor took is on the sandbox's record, out of reach of the lies. A lie with a readable answer is on
record here: our side cannot know that its events were taken, and may send them again.
"""

import json
import random
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

_DROPPED = {"connection", "content-length", "transfer-encoding", "date", "server"}
_PAGE = b"<!doctype html><html><body><h1>Sign in to the wireless network</h1></body></html>"
#: Longer than any call of ours may take.
_FOREVER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Lie:
    """A request that was taken, in whole or in part, and answered by something else."""

    name: str
    vendor: str
    ids: Sequence[str]
    #: sent before them in the same request, and not taken
    passed_over: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor says."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def ids_of(vendor: str, event: Any) -> str:
    """Our id of what a vendor took, in the shape in which it took it."""
    if vendor == "baselime":
        return str(event["id"])
    if vendor == "last9":
        return str(event["attributes"]["event_id"])
    links = {link["rel"]: link["href"] for link in event["links"]}
    return parse_qs(urlsplit(links["hitchpost"]).query)["id"][0]


class Liar:
    """One vendor's front. `tell` lies once to each of the next requests; without any it is honest."""

    def __init__(self, vendor: str, target: str) -> None:
        self.vendor = vendor
        self.told: list[Lie] = []
        self._target = urlsplit(target)
        self._lies: list[Callable[[Handler], None]] = []
        self._lock = threading.Lock()
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.liar = self
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            name=f"liar {vendor}",
            kwargs={"poll_interval": 0.1},
            daemon=True,
        )

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return ("127.0.0.1", int(self._server.server_address[1]))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def tell(self, lie: Callable[["Handler"], None]) -> None:
        """To the next request that sends something."""
        with self._lock:
            self._lies.append(lie)

    def be_honest(self) -> None:
        """From now on."""
        with self._lock:
            self._lies.clear()

    def next_lie(self) -> "Callable[[Handler], None] | None":
        with self._lock:
            return self._lies.pop(0) if self._lies else None

    def note(self, name: str, taken: bytes, passed_over: Sequence[Any] = ()) -> None:
        """Events in this request were taken, and the answer does not say so."""
        events = json.loads(taken)
        events = events if isinstance(events, list) else [events]
        lie = Lie(name, self.vendor, self._ids(events), self._ids(passed_over))
        with self._lock:
            self.told.append(lie)

    def _ids(self, events: Sequence[Any]) -> Sequence[str]:
        return [ids_of(self.vendor, one) for one in events]

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What the sandbox says."""
        connection = HTTPConnection(self._target.hostname or "", self._target.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers))
            answer: HTTPResponse = connection.getresponse()
            return Answer(answer.status, answer.read(), dict(answer.getheaders()))
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    liar: Liar

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is what this is for."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 75

    def handle_one_request(self) -> None:
        with suppress(OSError):
            super().handle_one_request()
            return
        self.close_connection = True

    def do_GET(self) -> None:
        self._read()
        self.answer(self.forward())

    def do_POST(self) -> None:
        self._read()
        lie = self.server.liar.next_lie()
        if lie is None:
            self.answer(self.forward())
        else:
            lie(self)

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing to a terminal."""

    def _read(self) -> None:
        self.sent = self.rfile.read(int(self.headers.get("content-length") or 0))

    def forward(self, body: bytes | None = None) -> Answer:
        """What the sandbox says to this request, or to it with another body."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _DROPPED}
        sent = self.sent if body is None else body
        return self.server.liar.ask(self.command, self.path, headers, sent)

    def take(self, name: str) -> None:
        """Let the sandbox take what it will."""
        self.take_part(name, self.sent)

    def take_part(self, name: str, body: bytes, passed_over: Sequence[Any] = ()) -> None:
        """Let the sandbox take this of it; then it is a lie to be noted. A 400 names what it refuses."""
        if self.forward(body).status in {200, 201, 202, 204, 400}:
            self.server.liar.note(name, body, passed_over)

    def answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _DROPPED:
                self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def say(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        """Another answer."""
        self.answer(Answer(status, body, {"content-type": kind, **headers}))

    def reset(self) -> None:
        """End the connection by a RST."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


def garbage(to: Handler) -> None:
    """200 and no JSON, though all was taken."""
    to.take("garbage")
    to.say(200, b"\x00\xff<<%garbage")


def page(to: Handler) -> None:
    """200 and somebody's page: nothing was taken."""
    to.say(200, _PAGE, kind="text/html")


def broken(to: Handler) -> None:
    """500, though all was taken."""
    to.take("500 after taking")
    to.say(500, b'{"message": "Internal Error"}')


def partial(to: Handler) -> None:
    """500, though the first half was taken."""
    events = json.loads(to.sent)
    if not isinstance(events, list):
        broken(to)
        return
    half = json.dumps(events[: (len(events) + 1) // 2]).encode()
    to.take_part("half taken", half)
    to.say(500, b'{"message": "Internal Error"}')


def odd_list(to: Handler) -> None:
    """400 with an `invalid` of a shape that nobody can read; all but the first event were taken."""
    events = json.loads(to.sent)
    if not isinstance(events, list):
        broken(to)
        return
    chance = random.Random(len(to.sent))
    odd = chance.choice([{"0": "bad"}, [None], [[[]]], "all", [{"what": "is this"}], [-1, 10_000], 7])
    rest = json.dumps(events[1:]).encode()
    if len(events) > 1:
        to.take_part("unreadable list", rest, events[:1])
    to.say(400, json.dumps({"message": "Bad Request", "invalid": odd}).encode())


def busy(to: Handler) -> None:
    """429 and an absurd wish."""
    to.say(429, b'{"message": "Too Many Requests"}', **{"retry-after": "99999999"})


def reset_after(to: Handler) -> None:
    """The true answer, and the connection reset on its heels."""
    to.answer(to.forward())
    to.reset()


def cut(to: Handler) -> None:
    """All taken, and half a status line."""
    to.forward()
    to.wfile.write(b"HTTP/1.1 20")
    to.reset()


def slow(to: Handler) -> None:
    """All taken, and an answer that comes when nobody waits any more."""
    answer = to.forward()
    to.server.liar.over.wait(_FOREVER_SECONDS)
    to.answer(answer)


def endless_body(to: Handler) -> None:
    """All taken, and an answer that never ends."""
    to.forward()
    to.wfile.write(b"HTTP/1.1 202 Accepted\r\nconnection: close\r\n\r\n")
    while not to.server.liar.over.is_set():
        to.wfile.write(b"x" * 65_536)


def endless_head(to: Handler) -> None:
    """All taken, and headers that never end."""
    to.forward()
    to.wfile.write(b"HTTP/1.1 202 Accepted\r\n")
    while not to.server.liar.over.is_set():
        to.wfile.write(b"x-more: " + b"x" * 1_000 + b"\r\n")


def drip(to: Handler) -> None:
    """All taken, and an answer a byte at a time for longer than a call may take."""
    to.forward()
    to.wfile.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 1000\r\n\r\n")
    while not to.server.liar.over.wait(0.05):
        to.wfile.write(b" ")


#: Told within a moment.
QUICK = (garbage, page, broken, partial, odd_list, busy, reset_after, cut, endless_body, endless_head)
#: Each keeps a call busy until its deadline of 12 s.
SLOW = (slow, drip)
