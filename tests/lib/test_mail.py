"""Mail is handed over whole or not at all, in bounded time, in the open nowhere but on this machine."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.receivers import Mailbox, mail_server
from webapp.errors import NotMailed
from webapp.lib.mail import Letter, Mailer, Server

CANARY = "canary-password-7f3a"
NAME = "mail.example.test"


def letter(**more: Any) -> Letter:
    values = {
        "id": "0192",
        "to": "bob@example.org",
        "subject": "Please reconnect",
        "text": "Hello.",
        "html": "<p>Hello.</p>",
        "written_at": datetime(2026, 11, 25, tzinfo=UTC),
    }
    return Letter(**{**values, **more})


def mailer(port: int, host: str = "127.0.0.1", scheme: str = "smtp", **how: Any) -> Mailer:
    user = how.pop("user", "")
    server = Server(scheme, host, port, user, CANARY if user else "")
    return Mailer(server, "Hitchpost <post@example.org>", "post.test", **how)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for NAME that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "mail.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """NAME is another machine's, as far as the mailer can tell."""
    resolve = socket.getaddrinfo

    def answer(host: str, *rest: Any, **more: Any) -> Any:
        return resolve("127.0.0.1" if host == NAME else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def encryption(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def test_on_this_machine_it_goes_in_the_open() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        assert mailer(port).send(letter()) == "taken"
    (mail,) = mailbox.mails
    assert (mail["To"], mail["Message-ID"]) == ("bob@example.org", "<0192@post.test>")
    assert mail["Date"].datetime == datetime(2026, 11, 25, tzinfo=UTC)
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.usefixtures("far_away")
def test_to_another_machine_it_goes_encrypted_and_with_its_password(certificate: Path) -> None:
    mailbox = Mailbox()
    seen: list[bytes] = []

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        seen.append(data.password)
        return AuthResult(success=session.ssl is not None)

    with mail_server(
        mailbox,
        tls_context=encryption(certificate),
        require_starttls=True,
        authenticator=check,
        auth_required=True,
    ) as port:
        trust = ssl.create_default_context(cafile=str(certificate))
        mailer(port, NAME, user="post", trust=trust).send(letter())
    assert (len(mailbox.mails), seen) == (1, [CANARY.encode()])


@pytest.mark.usefixtures("far_away")
def test_a_certificate_that_nobody_vouches_for_stops_it(certificate: Path) -> None:
    mailbox = Mailbox()
    with (
        mail_server(mailbox, tls_context=encryption(certificate)) as port,
        pytest.raises(NotMailed, match="certificate is not trusted"),
    ):
        mailer(port, NAME, user="post").send(letter())
    assert mailbox.mails == []


@pytest.mark.usefixtures("far_away")
def test_another_machine_that_offers_no_encryption_gets_nothing() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port, pytest.raises(NotMailed, match="STARTTLS"):
        mailer(port, NAME, user="post").send(letter())
    assert mailbox.mails == []


@pytest.mark.parametrize(("reply", "final"), [("550 no such person", True), ("451 later", False)])
def test_a_refusal_is_told_in_the_servers_words(reply: str, *, final: bool) -> None:
    mailbox = Mailbox()
    mailbox.replies = [reply]
    with mail_server(mailbox) as port, pytest.raises(NotMailed) as caught:
        mailer(port).send(letter())
    error = caught.value
    assert f"{error.code} {error}" == reply
    assert (error.final, error.unsure) == (final, False)


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
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
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join(10)


def test_a_greeting_that_drips_is_cut_at_the_deadline() -> None:
    def drip(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"2")
            time.sleep(0.05)

    began = time.monotonic()
    with raw_server(drip) as port, pytest.raises(NotMailed) as caught:
        mailer(port, deadline=0.4).send(letter())
    assert time.monotonic() - began < 3
    assert not caught.value.unsure


def test_an_answer_that_is_lost_after_the_mail_was_handed_over_leaves_a_doubt() -> None:
    def hang_up_after_the_dot(connection: socket.socket) -> None:
        lines = connection.makefile("rwb")
        lines.write(b"220 here\r\n")
        lines.flush()
        for line in lines:
            if line == b".\r\n":
                return
            lines.write({b"DATA": b"354 go on\r\n"}.get(line.strip().upper(), b"250 well\r\n"))
            lines.flush()
            if line.strip().upper() == b"DATA":
                while lines.readline() != b".\r\n":
                    pass
                return

    with raw_server(hang_up_after_the_dot) as port, pytest.raises(NotMailed) as caught:
        mailer(port).send(letter())
    assert caught.value.unsure


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotMailed, match="no connection could be made") as caught:
        mailer(port).send(letter())
    assert (caught.value.final, caught.value.unsure) == (False, False)


def test_nothing_in_a_letter_begins_a_header() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        mailer(port).send(letter(subject="Hello\r\nBcc: eve@example.org"))
        for bad in ("bob@example.org\r\nBcc: eve@example.org", "not an address", "bób@example.org"):
            with pytest.raises(NotMailed) as caught:
                mailer(port).send(letter(to=bad))
            assert caught.value.final
    (mail,) = mailbox.mails
    assert (mail["Bcc"], mail["Subject"]) == (None, "Hello Bcc: eve@example.org")


def test_a_server_is_read_from_its_address_and_shows_no_password() -> None:
    server = Server.parse(f"smtp://post%40example.org:{CANARY}@mail.example.org")
    assert (server.host, server.port, server.user) == ("mail.example.org", 587, "post@example.org")
    assert server.password == CANARY
    assert CANARY not in repr(server)
    assert Server.parse("smtps://mail.example.org").port == 465


@pytest.mark.parametrize(
    "bad", ["http://mail", "smtp://@", "smtp://post@mail", "smtp://mail:port", "smtp://mail/x", "mail:25"]
)
def test_what_is_no_server_is_refused_without_repeating_it(bad: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|names)") as caught:
        Server.parse(bad)
    assert bad not in str(caught.value)
