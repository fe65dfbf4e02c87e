"""The vendor of the benchmark: takes whatever it is sent, counts it, and costs next to nothing.

One thread over epoll, no framework: it must absorb ten times what it is asked. `GET /` answers the counts;
`PUT /say` with `up` or `down` makes it take or break, with `anew` forget its counts; a request whose key ends
in `-slow` is never answered. `GET /arrivals` answers when how many events came, by the name in their keys.
"""

import json
import re
import select
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress

_LENGTH = re.compile(rb"\ncontent-length: *(\d+)", re.IGNORECASE)
_GROUP = re.compile(rb": (?:Bearer )?key-([a-z]+)-")
_LONE = re.compile(rb'"id": ?"(lone-\d+)"')
_TAKEN = b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
_BROKEN = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
_READ_BYTES = 1 << 20


class Sink:
    """Counts of what was taken; the moments are of the machine's monotonic clock."""

    def __init__(self) -> None:
        self.up = True
        self.forget()

    def forget(self) -> None:
        """Count from nothing."""
        self.requests = self.events = self.refused = self.begun_with = 0
        self.first = self.last = 0.0
        self.lone: dict[str, float] = {}
        self._arrivals: dict[str, list[tuple[float, int]]] = {}

    def answer(self, head: bytes, body: bytes) -> bytes:
        """The answer to one request; empty: none."""
        if head.startswith(b"GET /arrivals "):
            return _as_json(self._arrivals)
        if head.startswith(b"GET "):
            return _as_json({name: value for name, value in vars(self).items() if name != "_arrivals"})
        if head.startswith(b"PUT /say "):
            if body == b"anew":
                self.forget()
            else:
                self.up = body == b"up"
            return _TAKEN
        if b"-slow\r\n" in head:
            return b""
        if not self.up:
            self.refused += 1
            return _BROKEN
        self.last = time.monotonic()
        self.requests += 1
        events = body.count(b'"timestamp":') or 1
        self.events += events
        if not self.first:
            self.first, self.begun_with = self.last, self.events
        if found := _GROUP.search(head):
            self._arrivals.setdefault(found[1].decode(), []).append((self.last, events))
        if b'"lone-' in body:
            self.lone.update((found.decode(), self.last) for found in _LONE.findall(body))
        return _TAKEN


def _as_json(value: object) -> bytes:
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def serve(listener: socket.socket, answer: Callable[[bytes, bytes], bytes]) -> None:
    """Serve keep-alive connections, pipelined requests too, until killed."""
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    open_: dict[int, tuple[socket.socket, bytearray]] = {}
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.settimeout(10)
                open_[client.fileno()] = (client, bytearray())
                poll.register(client.fileno(), select.EPOLLIN)
                continue
            client, buffer = open_[number]
            data = b""
            with suppress(OSError):
                data = client.recv(_READ_BYTES)
            if not data:
                poll.unregister(number)
                open_.pop(number)[0].close()
                continue
            buffer += data
            if answers := _answers(buffer, answer):
                with suppress(OSError):
                    client.sendall(answers)


def _answers(buffer: bytearray, answer: Callable[[bytes, bytes], bytes]) -> bytes:
    """Answer every whole request in `buffer`, and take it out."""
    said = b""
    while (end := buffer.find(b"\r\n\r\n")) >= 0:
        head = bytes(buffer[: end + 2])
        found = _LENGTH.search(head)
        whole = end + 4 + (int(found[1]) if found else 0)
        if len(buffer) < whole:
            break
        said += answer(head, bytes(buffer[end + 4 : whole]))
        del buffer[:whole]
    return said


if __name__ == "__main__":
    serve(socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=256), Sink().answer)
