"""Wires: connections to vendors, each for one call at a time, and those that lie idle until the next one.

HTTP/1.1 is read by llhttp (httptools), over streams that keep to a deadline and to public addresses
(webapp.lib.network): a call then costs a small part of what a general pool takes for it.
"""

import re
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpcore2
import httptools

from webapp.lib.network import GuardedBackend, GuardedStream

_BUFFER_BYTES = 65_536
#: What an answer may have that brings nothing of its body, at a stretch (all before it, with interim answers;
#: a chunk's extensions; what comes behind it), and how many headers.
_HEAD_BYTES, _HEAD_LINES = 262_144, 100
_PORTS = {"http": 80, "https": 443}
#: What may be written: a token (RFC 9110 §5.6.2), a value without an end of line, an address.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
_TARGET = re.compile(r"[!-~]+")


class Origin(NamedTuple):
    """What a wire leads to."""

    scheme: str
    host: str
    port: int


class Answer(NamedTuple):
    """What came back; header names are lower case. The body is cut one byte after its bound."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def read_address(url: str) -> tuple[Origin, str]:
    """Where `url` leads, and what is asked for there. Raises UnsupportedProtocol, UnicodeError."""
    url.encode("ascii")
    parts = urlsplit(url)
    try:
        port = parts.port or _PORTS[parts.scheme]
    except (KeyError, ValueError):
        raise httpcore2.UnsupportedProtocol("neither http nor https, or no port") from None
    target = parts.path or "/"
    return Origin(
        parts.scheme, parts.hostname or "", port
    ), f"{target}?{parts.query}" if parts.query else target


class Wires:
    """Makes calls. Safe to share between threads. Raises what httpcore2 raises."""

    def __init__(self, backend: GuardedBackend, *, keep_seconds: float) -> None:
        """Idle wires are used again for `keep_seconds`."""
        self._backend = backend
        self._keep_seconds = keep_seconds
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])
        self._guard = threading.Lock()
        self._idle: dict[Origin, list[tuple[_Wire, float]]] = defaultdict(list)

    def exchange(
        self, method: str, url: str, headers: Mapping[str, bytes], body: bytes, *, most_bytes: int
    ) -> Answer:
        """One request and its answer, of whose body at most `most_bytes` + 1 are read."""
        origin, target = read_address(url)
        wire = self._take(origin) or self._connect(origin)
        try:
            wire.ask(method, target, headers, body)
            answer = wire.hear(most_bytes)
        except BaseException:
            wire.close()
            raise
        if wire.lasts:
            self._give_back(origin, wire)
        else:
            wire.close()
        return answer

    def close(self) -> None:
        """Close every idle wire."""
        with self._guard:
            idle = [wire for wires in self._idle.values() for wire, _ in wires]
            self._idle.clear()
        for wire in idle:
            wire.close()

    def _take(self, origin: Origin) -> "_Wire | None":
        """The idle wire that was used last; those that the vendor may have dropped are closed."""
        while True:
            with self._guard:
                wires = self._idle.get(origin)
                if not wires:
                    return None
                wire, since = wires.pop()
            if time.monotonic() - since < self._keep_seconds and not wire.is_readable:
                return wire
            wire.close()

    def _give_back(self, origin: Origin, wire: "_Wire") -> None:
        now = time.monotonic()
        with self._guard:
            self._idle[origin].append((wire, now))
            old = [
                wires.pop(0)[0]
                for wires in self._idle.values()
                if wires and now - wires[0][1] >= self._keep_seconds
            ]
        for one in old:
            one.close()

    def _connect(self, origin: Origin) -> "_Wire":
        stream = self._backend.connect(origin.host, origin.port)
        if origin.scheme == "https":
            stream = stream.start_tls(self._tls, origin.host)
        return _Wire(stream)


class _Wire:
    """One connection."""

    def __init__(self, stream: GuardedStream) -> None:
        self._stream = stream
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self.lasts = True

    @property
    def is_readable(self) -> bool:
        """Whether something came that nobody asked for: most likely the end."""
        return self._stream.is_readable()

    def ask(self, method: str, target: str, headers: Mapping[str, bytes], body: bytes) -> None:
        request = _head(method, target, headers) + body
        try:
            self._stream.write(request)
        except httpcore2.WriteError:
            self.lasts = False  # a vendor may answer and hang up before it has read everything

    def hear(self, most_bytes: int) -> Answer:
        reply = _Reply(most_bytes)
        try:
            while not reply.is_over:
                count = self._stream.read_into(self._buffer)
                if count:
                    reply.feed(self._buffer[:count])
                else:
                    reply.end()
        finally:
            reply.let_go()
        self.lasts = self.lasts and reply.lasts
        return Answer(reply.status, reply.headers, bytes(reply.body))

    def close(self) -> None:
        self._stream.close()


def _head(method: str, target: str, headers: Mapping[str, bytes]) -> bytes:
    if not (_NAME.fullmatch(method) and _TARGET.fullmatch(target)):
        raise httpcore2.LocalProtocolError("the address cannot be written")
    lines = [f"{method} {target} HTTP/1.1\r\n".encode("ascii")]
    for name, value in headers.items():
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise httpcore2.LocalProtocolError("a header cannot be written")
        lines.append(b"%b: %b\r\n" % (name.encode("ascii"), value))
    return b"".join((*lines, b"\r\n"))


class _Reply:
    """An answer as it comes in; its parser calls what begins with on_."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._parser: Any = httptools.HttpResponseParser(self)
        # Lines may end as http.client has always let them (RFC 9112 §2.2).
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)
        self._idle = self._lines = 0
        self._has_head = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.is_over = False
        self.lasts = False

    def feed(self, data: memoryview) -> None:
        """Read on. Raises RemoteProtocolError."""
        before = len(self.body)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.lasts = False  # behind a whole answer it does not matter what is wrong
            if not self.is_over:
                raise httpcore2.RemoteProtocolError("no answer that can be read") from None
        self._idle = 0 if len(self.body) > before else self._idle + len(data)
        if self._lines > _HEAD_LINES or self._idle > _HEAD_BYTES:
            raise httpcore2.RemoteProtocolError("the answer's head or its trailer has no end")
        if len(self.body) > self._most_bytes:
            del self.body[self._most_bytes + 1 :]
            self.is_over, self.lasts = True, False

    def end(self) -> None:
        """The connection ended, which is the end of a body of unknown length. Raises RemoteProtocolError."""
        chunked = self.headers.get("transfer-encoding", "").lower().endswith("chunked")
        if not self._has_head or chunked or "content-length" in self.headers:
            raise httpcore2.RemoteProtocolError("the answer was cut short")
        self.is_over = True

    def let_go(self) -> None:
        """Nothing more comes: it and its parser hold each other no longer."""
        self._parser = None

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines += not self.is_over
        if not self._has_head:  # else a trailer
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self.is_over:
            return
        self.status = self._parser.get_status_code()
        if self.status < 200:  # another answer comes after it, like one after 103 (RFC 9110 §15.2)
            self.headers.clear()
        else:
            self._has_head = True
            self.lasts = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        if not self.is_over:
            self.body += data

    def on_message_begin(self) -> None:
        if self.is_over:  # something came that nobody asked for: it is not looked at
            self.lasts = False

    def on_message_complete(self) -> None:
        self.is_over = self._has_head
