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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpcore2

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
    """No call of this thread lasts beyond `moment` (monotonic), and after it not a byte of one leaves.

    For who may call only while it holds a lease, and may be frozen between any two steps.
    """
    _current.limit = moment
    try:
        yield
    finally:
        _current.limit = math.inf


class GuardedBackend(httpcore2.NetworkBackend):
    """Opens connections for the pool: checked address, shared deadline."""

    def __init__(self, *, allow_private: bool) -> None:
        """`allow_private` lets it reach loopback and private addresses."""
        self._allow_private = allow_private
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address of `host` that answers; AddressRefused if any is not public."""
        failure: httpcore2.ConnectError | httpcore2.ConnectTimeout | None = None
        for address in self._resolve(host, port):
            try:
                stream = self._plain.connect_tcp(address, port, _left(timeout), local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _GuardedStream(stream)
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


class _GuardedStream(httpcore2.NetworkStream):
    """A stream whose every step is bounded by the call of the thread that uses it."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = _left(timeout)
        if _current.call is not None:
            _current.call.sent = True
        self._stream.write(buffer, left)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _GuardedStream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None) -> float | None:
    if _current.call is None:
        return timeout
    return _current.call.left()
