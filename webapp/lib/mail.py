"""Mail handed over to one server (RFC 5321): bounded in time, encrypted off loopback, certificate checked."""

import ipaddress
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

from webapp.errors import NotMailed

#: A whole hand-over, from the name's resolution to the server's last word, takes at most this many seconds.
DEADLINE_SECONDS = 15.0
_WORDS_CHARACTERS = 300
_PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One mail to one address. `id` is the left side of its Message-ID, the same at every try."""

    id: str
    to: str
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed over; its repr shows no password."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> "Server":
        """Read `smtp://user:password@host:587` or `smtps://…`. Raises ValueError, with no part of the URL."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("is no address") from None
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("is to be smtp://user:password@host:587 or smtps://…")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if bool(user) != bool(password):
            raise ValueError("names a user without a password, or the other way round")
        return cls(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], user, password)

    @property
    def is_here(self) -> bool:
        """Whether it is on this very machine: then nothing travels, and nothing need be encrypted."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class Mailer:
    """Hands letters over, one connection each. Safe to share between threads."""

    def __init__(
        self,
        server: Server,
        sender: str,
        host: str,
        *,
        deadline: float = DEADLINE_SECONDS,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`sender` is a From field, `host` our name for Message-IDs; `trust` replaces the system's."""
        self._server, self._sender, self._host = server, sender, host
        self._deadline = deadline
        self._given_trust = trust

    def send(self, letter: Letter) -> str:
        """Hand it over: the server's words. Raises NotMailed, with no secret in it."""
        envelope, written = self._write(letter)
        talk = _Talk()
        try:
            with _hung_up(talk, self._deadline):
                return self._hand_over(talk, envelope, letter.to, written)
        except smtplib.SMTPResponseException as error:
            raise NotMailed(_words(error.smtp_error), code=error.smtp_code) from None
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            raise NotMailed(_words(said), code=code, final=code >= 500) from None
        except ssl.SSLCertVerificationError as error:
            raise NotMailed(f"the server's certificate is not trusted: {error.verify_message}") from None
        except ssl.SSLError:
            raise NotMailed("no encrypted connection could be made") from None
        except smtplib.SMTPNotSupportedError as error:
            raise NotMailed(_words(str(error).encode())) from None
        except (smtplib.SMTPException, OSError, EOFError):
            told = "no answer" if talk.began else "no connection could be made"
            raise NotMailed(told, unsure=talk.handed_over) from None

    def _write(self, letter: Letter) -> tuple[str, bytes]:
        """The envelope's sender, and the mail as bytes. Nothing in it can begin a header of its own."""
        written = EmailMessage(policy=SMTP)
        try:
            written["From"] = self._sender
            written["To"] = Address(addr_spec=letter.to)
            written["Subject"] = " ".join(letter.subject.split())
            written["Date"] = format_datetime(letter.written_at)
            written["Message-ID"] = f"<{letter.id}@{self._host}>"
            written["Auto-Submitted"] = "auto-generated"
            written.set_content(letter.text)
            written.add_alternative(letter.html, subtype="html")
            envelope = parseaddr(self._sender)[1]
            (envelope + letter.to).encode("ascii")
            return envelope, written.as_bytes()
        except (ValueError, IndexError, MessageError):
            raise NotMailed("the address cannot be written to", final=True) from None

    def _hand_over(self, talk: "_Talk", sender: str, to: str, written: bytes) -> str:
        server = self._server
        smtp = self._connect(talk)
        talk.began = True
        smtp.ehlo_or_helo_if_needed()
        if server.scheme == "smtp" and not server.is_here:
            smtp.starttls(context=self._trust)
            smtp.ehlo()
        if server.user:
            smtp.login(server.user, server.password)
        _expect(smtp.mail(sender))
        code, said = smtp.rcpt(to)
        if code not in {250, 251}:
            raise smtplib.SMTPRecipientsRefused({to: (code, said)})
        talk.handed_over = True
        code, said = smtp.data(written)
        talk.handed_over = False
        if code != 250:
            raise NotMailed(_words(said), code=code, final=code >= 500)
        _part(smtp)
        return _words(said)

    def _connect(self, talk: "_Talk") -> smtplib.SMTP:
        host, port = self._server.host, self._server.port
        if self._server.scheme == "smtps":
            return _Encrypted(talk, host, port, self._host, timeout=self._deadline, context=self._trust)
        return _Plain(talk, host, port, self._host, timeout=self._deadline)

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return self._given_trust or ssl.create_default_context()


@dataclass(slots=True)
class _Talk:
    """How far a hand-over has come."""

    smtp: smtplib.SMTP | None = None
    began: bool = False
    #: the mail is on its way, and the server has not said whether it has it
    handed_over: bool = False


class _Plain(smtplib.SMTP):
    """A connection that can be cut even while it is being made: its greeting may drip too."""

    def __init__(self, talk: _Talk, *there: Any, **how: Any) -> None:
        talk.smtp = self
        super().__init__(*there, **how)


class _Encrypted(smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""

    def __init__(self, talk: _Talk, *there: Any, **how: Any) -> None:
        talk.smtp = self
        super().__init__(*there, **how)


@contextmanager
def _hung_up(talk: _Talk, seconds: float) -> Iterator[None]:
    """Hang up after so many seconds: smtplib's own limit counts per read, so a slow drip would go on."""

    def cut() -> None:
        sock = talk.smtp.sock if talk.smtp is not None else None
        if sock is not None:
            with suppress(OSError):  # it has hung up by itself
                sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if talk.smtp is not None:
            talk.smtp.close()


def _expect(answer: tuple[int, bytes]) -> None:
    if answer[0] != 250:
        raise smtplib.SMTPResponseException(*answer)


def _part(smtp: smtplib.SMTP) -> None:
    """Say goodbye; the mail is taken, whatever becomes of that."""
    with suppress(smtplib.SMTPException, OSError):
        smtp.quit()


def _words(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())[:_WORDS_CHARACTERS] or "no words"
