"""Wires: connections to vendors, each for one call at a time, and those that lie idle until the next one.

HTTP/1.1 is spoken by the standard library's client, over streams that keep to a deadline and to public
addresses (webapp.lib.network): a call then costs a third of what a general pool takes for it.
"""

import http.client
import io
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import httpcore2

from webapp.lib.network import GuardedBackend

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER_BYTES = 65_536
_PORTS = {"http": 80, "https": 443}


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
        stream = self._backend.connect_tcp(origin.host, origin.port)
        if origin.scheme == "https":
            stream = stream.start_tls(self._tls, server_hostname=origin.host)
        return _Wire(origin, stream)


class _Wire:
    """One connection."""

    def __init__(self, origin: Origin, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream
        self._socket = _Socket(stream)
        self._talk = http.client.HTTPConnection(origin.host, origin.port)
        self._talk.sock = self._socket
        self.lasts = True

    @property
    def is_readable(self) -> bool:
        """Whether something came that nobody asked for: most likely the end."""
        return bool(self._stream.get_extra_info("is_readable"))

    def ask(self, method: str, target: str, headers: Mapping[str, bytes], body: bytes) -> None:
        try:
            self._talk.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                self._talk.putheader(name, value)
            self._talk.endheaders(body or None)
        except (ValueError, http.client.HTTPException):
            raise httpcore2.LocalProtocolError("a header or the address cannot be written") from None
        try:
            self._socket.flush()
        except httpcore2.WriteError:
            self.lasts = False  # a vendor may answer and hang up before it has read everything

    def hear(self, most_bytes: int) -> Answer:
        try:
            answer = self._talk.getresponse()
            body = answer.read(most_bytes + 1)
        except (http.client.HTTPException, ValueError, ConnectionError):
            raise httpcore2.RemoteProtocolError("no answer that can be read") from None
        if len(body) <= most_bytes and answer.length:
            raise httpcore2.RemoteProtocolError("the answer was cut short")
        self.lasts = self.lasts and answer.isclosed() and not answer.will_close
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)

    def close(self) -> None:
        self._stream.close()


class _Socket:
    """A stream, as http.client sees a socket; a request leaves as a whole."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream
        self._written: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self._written.append(data)

    def flush(self) -> None:
        data = b"".join(self._written)
        self._written.clear()
        self._stream.write(data)

    def makefile(self, _mode: str) -> "io.BufferedReader[_Bytes]":
        reader = io.BufferedReader(_Bytes(self._stream), _BUFFER_BYTES)
        _pass_over_interim(reader)
        return reader

    def close(self) -> None:
        """The wire closes its stream itself."""


class _Bytes(io.RawIOBase):
    """A stream, as a reader sees a file."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer)
        data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)


def _pass_over_interim(reader: "io.BufferedReader[_Bytes]") -> None:
    """An answer may come after others of the kind 1xx, like 103 (RFC 9110 §15.2)."""
    while reader.peek(12).startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")):
        for _ in range(100):
            if reader.readline(_BUFFER_BYTES) in {b"\r\n", b"\n", b""}:
                break
        else:
            raise httpcore2.RemoteProtocolError("an interim answer has no end")
