"""Somebody's whole life in the Procfile's processes, by pages and interface, and what was secret in it."""

import base64
import json
import re
from dataclasses import dataclass, field
from http.client import HTTPMessage
from http.cookiejar import CookieJar
from typing import IO, Any
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener

from sqlalchemy import select

from tests import instances, servers, vendors
from tests.vendors import Vendors
from tests.waiting import wait_for
from webapp.core import api_keys, connections, credentials
from webapp.core.api_keys import Scope
from webapp.core.audit import HITCHPOST
from webapp.core.runtime import Runtime
from webapp.models import Connection, Credential, CredentialKind
from webapp.sandbox import Sandbox
from webapp.sandbox.baselime.accounts import DEFAULT_CLIENT_SECRET

KINDS = {"baselime": "baselime.events", "last9": "last9.change_events", "librato": "librato.annotations"}
USER = "u1"
WRONG_KEY = "hp_wrong123_a-key-that-nobody-ever-made-0123456789"


class Browser(HTTPRedirectHandler):
    """Follows redirects as a person's browser does, and remembers where it was and the last page."""

    def __init__(self) -> None:
        self.cookies = CookieJar()
        self.seen: list[str] = []
        self.page = ""
        self._opener = build_opener(self, HTTPCookieProcessor(self.cookies))

    def redirect_request(  # noqa: PLR0917 - the standard library's signature
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        self.seen.append(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def open(self, url: str, form: dict[str, str] | None = None) -> None:
        """Get a page, or send a form with the token of the page before."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.page)
        sent = (
            None if form is None else urlencode(form | ({"csrf_token": token[1]} if token else {})).encode()
        )
        # As browsers tell another site where its visitor comes from.
        origin = {"Referer": urljoin(self.seen[-1], "/")} if self.seen else {}
        request = Request(url, data=sent, headers=origin)  # noqa: S310 - our own processes on loopback
        with self._opener.open(request, timeout=20) as answer:
            self.seen.append(answer.url)
            self.page = answer.read().decode()

    def found(self, pattern: str) -> list[str]:
        """What addresses it was at held."""
        return [match[1] for url in self.seen if (match := re.search(pattern, url))]


@dataclass
class Life:
    """One instance, the vendors, somebody's browser, and every secret that passed by."""

    instance: servers.Separate
    sandbox: Sandbox
    runtime: Runtime
    browser: Browser = field(default_factory=Browser)
    secrets: set[str] = field(default_factory=set)
    key: str = ""

    def begin(self) -> None:
        """An API key, and by it a session in the browser."""
        with self.runtime.database.write() as session:
            scopes = [Scope.EVENTS_WRITE, Scope.CONNECT_SESSIONS]
            _, text = api_keys.create(session, HITCHPOST, "test", scopes)
        self.key = text.reveal()
        link = json.loads(self.call("/connect-sessions", {"external_id": USER}))["url"]
        self.browser.open(link)
        self.browser.open(link, {})
        vault_key = instances.VAULT_KEYS.partition(":")[2]
        self.secrets |= {self.key.split("_", 2)[2], WRONG_KEY.split("_", 2)[2], link.rpartition("/")[2]}
        self.secrets |= {vault_key, base64.b64decode(vault_key).hex()}
        self.secrets |= {instances.SECRET_KEY, DEFAULT_CLIENT_SECRET}
        # A server that the tests were given may have a password that is a common word.
        urls = [self.instance.environment[f"HITCHPOST_{name}_URL"] for name in ("DATABASE", "BROKER")]
        self.secrets |= {password for url in urls if len(password := urlsplit(url).password or "") > 15}

    def call(self, path: str, body: object, key: str = "") -> bytes:
        """The host app's call of the interface."""
        headers = {"authorization": f"Bearer {key or self.key}", "content-type": "application/json"}
        request = Request(self.instance.url + "/api/v1" + path, json.dumps(body).encode(), headers)  # noqa: S310 - ours
        opened: Any = build_opener().open(request, timeout=10)
        with opened as answer:
            return bytes(answer.read())

    def install(self) -> None:
        """Baselime, by its consent page and our callback."""
        home, at = self.instance.url, self.sandbox.urls["baselime"]
        self.browser.open(f"{home}/connect")
        self.browser.open(f"{home}/connect/baselime/install", {})
        self.browser.open(next(url for url in self.browser.seen if url.startswith(at)), {"developer": "ada"})
        self.secrets |= set(self.browser.found(r"[?&]code=(\w+)"))

    def paste(self, name: str) -> None:
        """Last9 or Librato, by its form."""
        pasted = Vendors(self.sandbox).pasted(name)
        self.browser.open(f"{self.instance.url}/connect/{name}")
        self.browser.open(f"{self.instance.url}/connect/{name}", pasted)
        self.secrets |= {value for value in pasted.values() if len(value) > 30}

    def confirm(self) -> None:
        """Say yes, once the web process or a worker has traded what was brought."""
        page = self.browser.found(r"(.*/install/[0-9a-f-]{36})$")[-1]

        def seal() -> str | None:
            self.browser.open(page)
            shown = re.search(r'name="seal" value="([^"]+)"', self.browser.page)
            return shown[1] if shown else None

        wait_for(seal, seconds=20, pause=0.1)
        shown = seal()
        assert shown is not None
        self.browser.open(f"{page}/confirm", {"seal": shown})

    def forward(self) -> None:
        """A destination at each vendor."""
        with self.runtime.database.read() as session:
            made = {row.provider: row.id for row in session.scalars(select(Connection))}
        for name, kind in KINDS.items():
            vendors.forward(self.runtime, made[name], kind)

    def send(self, *subjects: str) -> None:
        """Events as the host app sends them, until every vendor has them all."""
        recorder = self.sandbox.world.desk.recorder
        before = {name: len(recorder.received(name)) for name in KINDS}
        more = {"user": USER, "source": "ci", "type": "deployment"}
        self.call("/events", [{**more, "id": name, "subject": name} for name in subjects])
        wait_for(
            lambda: all(len(recorder.received(name)) >= before[name] + len(subjects) for name in KINDS),
            seconds=30,
        )

    def refresh(self) -> None:
        """Have the worker trade every refresh token, for one that is new too."""
        vendors_here = Vendors(self.sandbox)
        for name in ("baselime", "last9"):
            vendors_here.fault(name, "token", "rotate")
        before = self._generations()
        with self.runtime.database.write() as session:
            for row in session.scalars(select(Connection).where(Connection.provider != "librato")).all():
                connections.refresh_now(session, HITCHPOST, row.id)
        wait_for(lambda: all(now > before[which] for which, now in self._generations().items()), seconds=40)

    def collect(self) -> set[CredentialKind]:
        """Add what is sealed now, and what the browser's cookies hold; the kinds that were sealed."""
        with self.runtime.database.read() as session:
            rows = session.scalars(select(Credential)).all()
        for row in rows:
            parts = credentials.open_parts(self.runtime.vault, row).values()
            self.secrets |= {part.reveal() for part in parts if len(part.reveal()) > 15}
        cookie = next(cookie.value or "" for cookie in self.browser.cookies if "session" in cookie.name)
        payload = cookie.partition(".")[0]
        said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        self.secrets |= {cookie, said["sid"]}
        return {row.kind for row in rows}

    def _generations(self) -> dict[object, int]:
        with self.runtime.database.read() as session:
            grants = select(Credential).where(Credential.kind == CredentialKind.GRANT)
            return {row.id: row.generation for row in session.scalars(grants)}
