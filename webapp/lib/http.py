"""The one way out: bounded in time and size, no redirects, no ambient settings, errors that carry no secret.

`Http.send` is for requests we build ourselves. `Http.transport` gives the same bounds to a library that
brings its own httpx2 client (Authlib). A 3xx is an answer like any other: following it would hand keys to
another host.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpcore2
import httpx2

from webapp.errors import VendorUnavailable
from webapp.lib import network
from webapp.lib.wires import Wires

#: A whole call, from the name's resolution to the last byte, takes at most this many seconds.
DEADLINE_SECONDS = 12.0
#: The largest answer that is read, in bytes.
ANSWER_BYTES = 1_048_576
#: Dropped before servers drop them (Node's default is 5 s): a request into a dead one is ambiguous.
_KEEP_IDLE_SECONDS = 4.0
_USER_AGENT = "Hitchpost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent to a vendor. Its repr shows neither headers nor body: they hold keys and events."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What the vendor answered; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


class Http:
    """Sends requests. One per process; safe to share between threads."""

    def __init__(self, *, allow_private: bool = False, deadline: float = DEADLINE_SECONDS) -> None:
        """`allow_private` lets calls reach loopback and private addresses: for development's sandbox."""
        self._deadline = deadline
        backend = network.GuardedBackend(allow_private=allow_private)
        self._wires = Wires(backend, keep_seconds=_KEEP_IDLE_SECONDS)
        self.transport: httpx2.BaseTransport = _Transport(self)

    def send(self, request: Request) -> Response:
        """Send, and read the whole answer, whatever its status.

        Raises VendorUnavailable, with `sent=False` only when the vendor surely never saw the request.
        """
        with network.call(self._deadline) as call:
            try:
                return self._exchange(request)
            except network.AddressRefused as error:
                raise VendorUnavailable(str(error), sent=False) from None
            except _TooLarge:
                raise VendorUnavailable(f"the answer is larger than {ANSWER_BYTES:,} bytes") from None
            except httpcore2.TimeoutException:
                raise VendorUnavailable("no answer in time", sent=call.sent) from None
            except httpcore2.LocalProtocolError:
                raise VendorUnavailable("a header cannot be written", sent=call.sent) from None
            except (httpcore2.NetworkError, httpcore2.ProtocolError):
                words = "the connection broke" if call.sent else "no connection could be made"
                raise VendorUnavailable(words, sent=call.sent) from None
            except (httpcore2.UnsupportedProtocol, httpx2.InvalidURL, UnicodeError):
                raise VendorUnavailable("the address cannot be called", sent=False) from None

    def close(self) -> None:
        """Close every connection."""
        self._wires.close()

    def _exchange(self, request: Request) -> Response:
        status, headers, body = self._wires.exchange(
            request.method, request.url, _headers(request), request.body, most_bytes=ANSWER_BYTES
        )
        if len(body) > ANSWER_BYTES:
            raise _TooLarge
        if headers.get("content-encoding", "identity") != "identity":
            raise VendorUnavailable("the answer is compressed though we asked for none", status=status)
        return Response(status=status, headers=headers, body=body)


def host_of(request: Request) -> str:
    """Where a request goes: the host, with its port when it is not the scheme's own."""
    return urlsplit(request.url).netloc.rpartition("@")[2].lower()


class _TooLarge(Exception):
    """The answer went past its bound."""


class _Transport(httpx2.BaseTransport):
    """The same bounds, as httpx2 expects them of a transport."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name not in {"accept-encoding", "connection", "content-length", "host", "user-agent"}
        }
        answer = self._http.send(
            Request(method=request.method, url=str(request.url), headers=headers, body=request.read())
        )
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.body)


def _headers(request: Request) -> dict[str, bytes]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers.setdefault("accept", "application/json")
    headers |= {"host": host_of(request), "user-agent": _USER_AGENT, "accept-encoding": "identity"}
    if request.body or request.method in {"POST", "PUT", "PATCH"}:
        headers["content-length"] = str(len(request.body))
    return {name: value.encode("latin-1") for name, value in headers.items()}
