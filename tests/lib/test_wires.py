"""Wires are kept for the next call while they are good, and speak TLS to whom the certificate names."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_httpserver import HTTPServer

from tests.lib.test_http import get, raw_server
from webapp.errors import VendorUnavailable
from webapp.lib import clock
from webapp.lib.http import Http

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
