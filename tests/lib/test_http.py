"""Calls out are bounded, follow nothing, obey no surroundings, and fail without telling secrets."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest
from pytest_httpserver import HTTPServer

from webapp.errors import VendorUnavailable
from webapp.lib import http as http_module
from webapp.lib.http import Http, Request
from webapp.lib.network import is_public

CANARY = "canary-7f3a"


@pytest.fixture
def http() -> Iterator[Http]:
    with closing(Http(allow_private=True, deadline=1.0)) as client:
        yield client


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server of one connection that says what `talk` says; gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                talk(connection)
            except OSError:
                return  # the client hung up, as it should

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/{CANARY}"
    finally:
        listener.close()
        thread.join(10)


def get(url: str) -> Request:
    return Request(method="GET", url=url, headers={"Authorization": f"Bearer {CANARY}"})


def test_an_answer_comes_back_whole(http: Http, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x", method="POST", data="[]").respond_with_data(
        "taken", 202, headers={"Retry-After": "7"}
    )
    answer = http.send(Request(method="POST", url=httpserver.url_for("/x"), body=b"[]"))
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (202, b"taken", "7")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_nothing_is_sent_on(
    http: Http, httpserver: HTTPServer, status: int
) -> None:
    httpserver.expect_request("/x").respond_with_data(
        "", status, headers={"Location": httpserver.url_for("/y")}
    )
    assert http.send(get(httpserver.url_for("/x"))).status == status
    assert [asked.path for asked, _ in httpserver.log] == ["/x"]


def test_surroundings_change_nothing(
    http: Http, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    httpserver.expect_request("/x", headers={"Authorization": f"Bearer {CANARY}"}).respond_with_data("")
    assert http.send(get(httpserver.url_for("/x"))).status == 200


def drip(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)  # the fault itself: a byte at a time


def drip_headers(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: 1\r\n")
        time.sleep(0.05)  # the fault itself: a header at a time


def never_answer(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


@pytest.mark.parametrize("talk", [drip, drip_headers, never_answer])
def test_a_slow_answer_ends_at_the_deadline_of_the_whole_call(
    http: Http, talk: Callable[[socket.socket], None]
) -> None:
    with raw_server(talk) as url:
        begun = time.monotonic()
        with pytest.raises(VendorUnavailable, match="no answer in time") as caught:
            http.send(get(url))
        assert time.monotonic() - begun < 3
    assert caught.value.sent


def flood(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


def endless_headers(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: " + b"x" * 10_000 + b"\r\n")


def bomb(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b")


def cut(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


def hang_up(connection: socket.socket) -> None:
    connection.recv(1000)


def not_http(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"220 mail.example ESMTP\r\n")


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (flood, "larger than"),
        (endless_headers, "connection broke"),
        (bomb, "compressed"),
        (cut, "connection broke"),
        (hang_up, "connection broke"),
        (not_http, "connection broke"),
    ],
)
def test_an_unusable_answer_is_named_and_counts_as_sent(
    http: Http, talk: Callable[[socket.socket], None], words: str
) -> None:
    with raw_server(talk) as url, pytest.raises(VendorUnavailable, match=words) as caught:
        http.send(get(url))
    assert caught.value.sent
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "request_",
    [
        get(f"http://127.0.0.1:1/{CANARY}"),
        get(f"http://no-such-host.invalid/{CANARY}"),
        get(f"ftp://127.0.0.1/{CANARY}"),
        get(f"http://exa mple/{CANARY}"),
        get(f"http://ex\u00e4mple\u2024invalid/{CANARY}"),
        get(f"{CANARY}"),
        Request(method="GET", url="http://127.0.0.1:1/", headers={"X": f"{CANARY}\r\nInjected: 1"}),
        Request(method="GET", url="http://127.0.0.1:1/", headers={"X": f"{CANARY}\u20ac"}),
    ],
)
def test_what_could_not_be_sent_is_surely_unsent_and_tells_nothing(http: Http, request_: Request) -> None:
    with pytest.raises(VendorUnavailable) as caught:
        http.send(request_)
    assert not caught.value.sent
    assert CANARY not in str(caught.value) + repr(request_).replace(request_.url, "")


def test_a_header_with_a_line_break_never_reaches_the_vendor(http: Http, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("")
    with pytest.raises(VendorUnavailable, match="header cannot be written"):
        http.send(
            Request(method="GET", url=httpserver.url_for("/x"), headers={"X": f"{CANARY}\r\nInjected: 1"})
        )
    assert httpserver.log == []


def test_private_addresses_are_refused_unless_allowed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("")
    with closing(Http()) as guarded:
        for host in ("127.0.0.1", "localhost", "[::1]", "0x7f000001", "2130706433", "127.1"):
            with pytest.raises(VendorUnavailable) as caught:
                guarded.send(get(f"http://{host}:{httpserver.port}/x"))
            assert not caught.value.sent
    assert httpserver.log == []


def test_a_name_is_resolved_once_so_that_it_cannot_be_rebound(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["93.184.216.34", "127.0.0.1"])

    def resolve(_host: str, port: int, **_: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    reached: list[str] = []

    def connect(_self: object, host: str, *_: object) -> object:
        reached.append(host)
        raise http_module.httpcore2.ConnectError

    monkeypatch.setattr("webapp.lib.network.socket.getaddrinfo", resolve)
    monkeypatch.setattr(http_module.httpcore2.SyncBackend, "connect_tcp", connect)
    with closing(Http()) as guarded, pytest.raises(VendorUnavailable):
        guarded.send(get("http://rebinding.example/x"))
    assert reached == ["93.184.216.34"]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::", False),
        ("fc00::1", False),
        ("fe80::1%eth0", False),
        ("ff02::1", False),
    ],
)
def test_only_global_unicast_addresses_are_public(address: str, *, public: bool) -> None:
    assert is_public(address) is public


def test_a_library_s_own_client_keeps_the_same_bounds(http: Http, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x", method="POST", json={"a": 1}).respond_with_json({"b": 2})
    with httpx2.Client(transport=http.transport) as client:
        assert client.post(httpserver.url_for("/x"), json={"a": 1}).json() == {"b": 2}
        with pytest.raises(VendorUnavailable) as caught:
            client.get(f"http://127.0.0.1:1/?code={CANARY}")
    assert CANARY not in str(caught.value)


def test_threads_share_one_client_and_each_has_its_own_deadline(http: Http, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("quick")
    failures: list[VendorUnavailable] = []

    def wait(url: str) -> None:
        try:
            http.send(get(url))
        except VendorUnavailable as error:
            failures.append(error)

    with raw_server(never_answer) as url:
        thread = threading.Thread(target=wait, args=(url,))
        thread.start()
        assert http.send(get(httpserver.url_for("/x"))).body == b"quick"
        thread.join(5)
    assert [str(error) for error in failures] == ["no answer in time"]
