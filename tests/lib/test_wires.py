"""Wires are kept for the next call while they are good, and speak TLS to whom the certificate names."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import cast

import httpcore2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_httpserver import HTTPServer

from tests.lib.test_http import get, raw_server
from webapp.errors import VendorUnavailable
from webapp.lib import clock, wires
from webapp.lib.http import Http
from webapp.lib.network import GuardedStream

ONE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture
def http() -> Iterator[Http]:
    with closing(Http(allow_private=True, deadline=5.0)) as client:
        yield client


def test_one_connection_serves_one_call_after_another(http: Http) -> None:
    def talk(connection: socket.socket) -> None:
        for _ in range(3):
            connection.recv(10_000)
            connection.sendall(ONE)

    with raw_server(talk) as url:
        assert [http.send(get(url)).body for _ in range(3)] == [b"ok"] * 3


@pytest.mark.parametrize("last", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nnot"])
def test_a_connection_that_ended_or_spoke_unasked_is_not_used_again(http: Http, last: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(10_000)
        connection.sendall(ONE)
        connection.sendall(last)

    with raw_server(talk) as url:
        assert http.send(get(url)).body == b"ok"
    # Nobody listens any more: whoever wanted to use the old connection would count as sent.
    with pytest.raises(VendorUnavailable) as caught:
        http.send(get(url))
    assert not caught.value.sent


def test_interim_answers_are_passed_over(http: Http) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(10_000)
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + ONE)

    with raw_server(talk) as url:
        answer = http.send(get(url))
    assert (answer.status, answer.body) == (200, b"ok")


class Pieces:
    """A connection whose other end has said all that it will, in these pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = [piece for piece in pieces if piece]
        self.written = b""

    def read_into(self, buffer: memoryview) -> int:
        piece = self._pieces.pop(0) if self._pieces else b""
        buffer[: len(piece)] = piece
        return len(piece)

    def write(self, data: bytes) -> None:
        self.written += data


def hear(*pieces: bytes, most_bytes: int = 100) -> tuple[int, bytes, bool]:
    """Status, body, and whether the connection can be used again."""
    wire = wires._Wire(cast("GuardedStream", Pieces(*pieces)))
    answer = wire.hear(most_bytes)
    return answer.status, answer.body, wire.lasts


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKS = b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (ONE, (200, b"ok", True)),
        (b"HTTP/1.1 103 Early Hints\r\ncontent-length: 9\r\n\r\n" + ONE, (200, b"ok", True)),
        (HEAD + b"connection: close\r\ncontent-length: 2\r\n\r\nok", (200, b"ok", False)),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", (200, b"ok", False)),
        (HEAD + b"\r\nok", (200, b"ok", False)),  # up to the end of the connection
        (HEAD + CHUNKS + b"\r\n", (200, b"ok", True)),
        (HEAD + CHUNKS + b"content-encoding: gzip\r\n\r\n", (200, b"ok", True)),  # a trailer is no header
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", True)),
        (HEAD + b"transfer-encoding: identity\r\n\r\nok", (200, b"ok", False)),
        (b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok", (200, b"ok", True)),
        (ONE + HEAD + b"x: 1\r\n" * 200, (200, b"ok", False)),
        (ONE + ONE, (200, b"ok", False)),
        (ONE + b"and more", (200, b"ok", False)),
        (HEAD + b"content-length: 102\r\n\r\n" + b"x" * 102, (200, b"x" * 101, False)),
    ],
)
def test_an_answer_reads_the_same_however_it_is_cut(said: bytes, heard: tuple[int, bytes, bool]) -> None:
    assert hear(said) == heard
    assert [hear(said[:at], said[at:])[:2] for at in range(len(said))] == [heard[:2]] * len(said)
    assert hear(*(said[at : at + 1] for at in range(len(said))))[:2] == heard[:2]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        HEAD + b"content-length: 3\r\n\r\nok",
        HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\nok",
        HEAD + b"content-length: -2\r\n\r\nok",
        HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
        HEAD + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        HEAD + b"x: 1\r\n" * 101 + b"content-length: 2\r\n\r\nok",
        HEAD + b"x: " + b"1" * 300_000 + b"\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20_000,
        HEAD + CHUNKS + b"x: " + b"1" * 400_000,
        HEAD + b"transfer-encoding: chunked\r\n\r\n2;" + b"x" * 400_000,
    ],
)
def test_what_is_no_whole_answer_is_none(said: bytes) -> None:
    with pytest.raises(httpcore2.RemoteProtocolError):
        hear(*(said[at : at + 50_000] for at in range(0, len(said), 50_000)))


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/x y", {}),
        ("/x\r\ny", {}),
        ("/\u00e4", {}),
        ("", {}),
        ("/", {"x y": b"1"}),
        ("/", {"x:y": b"1"}),
        ("/", {"": b"1"}),
        ("/", {"x": b"1\r\ny: 2"}),
        ("/", {"x": b"1\n"}),
        ("/", {"x": b"1\r 2"}),
        ("/", {"x": b"\0"}),
    ],
)
def test_what_would_be_another_request_is_not_written(target: str, headers: dict[str, bytes]) -> None:
    stream = Pieces()
    with pytest.raises(httpcore2.LocalProtocolError):
        wires._Wire(cast("GuardedStream", stream)).ask("GET", target, headers, b"")
    assert stream.written == b""


def test_a_request_is_written_as_a_whole() -> None:
    stream = Pieces()
    wires._Wire(cast("GuardedStream", stream)).ask("POST", "/x?y=1", {"x": b"a \xe4\tb"}, b"body")
    assert stream.written == b"POST /x?y=1 HTTP/1.1\r\nx: a \xe4\tb\r\n\r\nbody"


def test_tls_is_spoken_to_the_name_of_the_certificate_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(make_certificate(tmp_path, "localhost"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "both.pem"))
    with (
        HTTPServer(host="localhost", ssl_context=context) as server,
        closing(Http(allow_private=True)) as http,
    ):
        server.expect_request("/x").respond_with_data("sealed")
        assert http.send(get(server.url_for("/x"))).body == b"sealed"
        with pytest.raises(VendorUnavailable, match="no connection") as caught:
            http.send(get(server.url_for("/x").replace("localhost", "127.0.0.1")))
        assert not caught.value.sent
        assert len(server.log) == 1


def make_certificate(folder: Path, name: str) -> Path:
    """A certificate of that name, signed by itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    path = folder / "both.pem"
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return path
