"""Sockets that keep to a deadline and reach only public addresses.

A library's timeout counts per read, so an answer that drips a byte at a time lasts for ever; here every read
and write gets what is left of the whole call's time. Names are resolved once and the connection goes to the
very address that was checked, so that a second answer of the resolver cannot point it elsewhere (DNS
rebinding).
"""

import ipaddress
import math
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpcore2

#: How far a socket's own limit may be from what is left of a call.
_NEAR_SECONDS = 0.05
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(httpcore2.ConnectError):
    """The name stands for an address that outgoing calls may not reach."""


@dataclass(slots=True)
class Call:
    """One outgoing call: when it must be over, and whether a byte of it has left."""

    ends_at: float
    sent: bool = False

    def left(self) -> float:
        """Seconds left; raises ReadTimeout when there are none."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the deadline of the whole call passed")
        return left


class _Current(threading.local):
    call: Call | None = None
    limit: float = math.inf


_current = _Current()


@contextmanager
def call(seconds: float) -> Iterator[Call]:
    """Everything that this thread reads and writes inside the block shares `seconds`."""
    mine = Call(min(time.monotonic() + seconds, _current.limit))
    _current.call = mine
    try:
        yield mine
    finally:
        _current.call = None


@contextmanager
def ending_by(moment: float) -> Iterator[None]:
    """No call of this thread lasts beyond `moment` (monotonic), and a twentieth of a second after it not a
    byte of one leaves.

    For who may call only while it holds a lease, and may be frozen between any two steps.
    """
    _current.limit = moment
    try:
        yield
    finally:
        _current.limit = math.inf


class GuardedBackend:
    """Opens connections: checked address, shared deadline."""

    def __init__(self, *, allow_private: bool) -> None:
        """`allow_private` lets it reach loopback and private addresses."""
        self._allow_private = allow_private
        self._plain = httpcore2.SyncBackend()

    def connect(self, host: str, port: int) -> "GuardedStream":
        """Connect to the first address of `host` that answers; AddressRefused if any is not public."""
        failure: httpcore2.ConnectError | httpcore2.ConnectTimeout | None = None
        for address in self._resolve(host, port):
            try:
                return GuardedStream(self._plain.connect_tcp(address, port, _left()))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore2.ConnectError("the name has no address")

    def _resolve(self, host: str, port: int) -> list[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise httpcore2.ConnectError("the name could not be resolved") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise AddressRefused("the name stands for a private address")
        return addresses


def is_public(address: str) -> bool:
    """Whether `address` is global unicast, seen through IPv4-mapped and NAT64 forms (RFC 6890, RFC 6052)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return is_public(str(ip.ipv4_mapped))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.sixtofour or ip.teredo:
            return False
    return ip.is_global and not ip.is_multicast


class GuardedStream:
    """A connection whose every step is bounded by the call of the thread that uses it."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream
        self._socket: socket.socket = stream.get_extra_info("socket")
        self._limit = self._socket.gettimeout()

    def read_into(self, buffer: memoryview) -> int:
        """What has come by now, or comes next; 0 at the end. Raises ReadTimeout, ReadError."""
        self._keep_to(_left())
        try:
            return self._socket.recv_into(buffer)
        except TimeoutError:
            raise httpcore2.ReadTimeout from None
        except OSError:
            raise httpcore2.ReadError from None

    def write(self, data: bytes) -> None:
        """All of it. Raises ReadTimeout (the call is over before), WriteTimeout, WriteError."""
        view = memoryview(data)
        while view:
            self._keep_to(_left())
            if _current.call is not None:
                _current.call.sent = True
            try:
                view = view[self._socket.send(view) :]
            except TimeoutError:
                raise httpcore2.WriteTimeout from None
            except OSError:
                raise httpcore2.WriteError from None

    def start_tls(self, context: ssl.SSLContext, host: str) -> "GuardedStream":
        """The same connection behind TLS, from here on. Raises ConnectTimeout, ConnectError."""
        return GuardedStream(self._stream.start_tls(context, host, _left()))

    def is_readable(self) -> bool:
        """Whether something came that nobody has read: most likely the end."""
        return bool(self._stream.get_extra_info("is_readable"))

    def close(self) -> None:
        """End it."""
        self._stream.close()

    def _keep_to(self, seconds: float | None) -> None:
        # Each setting of it gives up the GIL; what it says may be off by a little.
        if seconds is None or self._limit is None or abs(seconds - self._limit) > _NEAR_SECONDS:
            self._socket.settimeout(seconds)
            self._limit = seconds


def _left() -> float | None:
    return None if _current.call is None else _current.call.left()
