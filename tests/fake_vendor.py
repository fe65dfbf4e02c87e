"""A vendor of Baselime's abilities without a network: it says what a test tells it to, and counts.

Its refresh tokens can be of the punishing kind: each works once, and a second use revokes the whole family.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, cast

from tests.runtimes import running
from webapp.core.runtime import Bell, Runtime
from webapp.errors import AccessRefused, GrantRefused
from webapp.lib.http import Http, Request, Response
from webapp.lib.secret import Secret
from webapp.providers.base import Client, EnvironmentListing, Grant
from webapp.providers.baselime import events
from webapp.providers.receiving import DestinationKind, Encoded, OutgoingEvent, Reading, Target

CONSOLE = "https://console.vendor.test"
CLIENT_KEY = "baselime:client-1"


def listing(*names: str, key: str = "key") -> tuple[EnvironmentListing, ...]:
    """Environments named `workspace/environment`, with made-up ingest keys."""
    return tuple(
        EnvironmentListing(
            account_key=name.partition("/")[0],
            vendor_key=name.partition("/")[2],
            ingest_key=Secret(f"{key}-canary-{name.replace('/', '-')}"),
        )
        for name in names
    )


class FakeVendor:
    """Set `answers` for codes, `environments`, `refreshes`; read `counts` and `events`."""

    name: ClassVar[str] = "baselime"
    title: ClassVar[str] = "Baselime"
    farewell: ClassVar[str] = "Remove it in the console too."
    code_seconds: ClassVar[float] = 180.0
    lists_with: ClassVar[tuple[str, str]] = ("grant", "")
    kinds: ClassVar[tuple[DestinationKind, ...]] = events.KINDS

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        #: what the next exchanges meet, in order; then grants
        self.exchange_faults: list[Exception] = []
        self.refresh_faults: list[Exception] = []
        self.list_faults: list[Exception] = []
        #: refresh tokens (by their text) that are refused for good
        self.revoked: set[str] = set()
        self.environments: Sequence[EnvironmentListing] = listing("acme/prod", "acme/staging", "birch/prod")
        self.lifetime = 86_400.0
        self.rotates = False
        self.spent: set[str] = set()
        self.dead_access: set[str] = set()
        self.delay = 0.0
        #: called inside an exchange or a refresh, while no transaction may be open
        self.during: Callable[[], object] = lambda: None

    def client(self) -> Client:
        return Client(
            key=CLIENT_KEY,
            client_id="client-1",
            client_secret=Secret("client-secret-canary"),
            redirect_url="http://127.0.0.1:8000/install/baselime/callback",
        )

    def client_key(self) -> str:
        return CLIENT_KEY

    def install_url(self) -> str:
        return f"{CONSOLE}/integrations/client-1"

    def console_origin(self) -> str:
        return CONSOLE

    def exchange(self, http: Http, code: Secret) -> Grant:
        number = self._call("exchange", self.exchange_faults)
        return self._grant(f"access-canary-{number}", f"refresh-canary-{number}")

    def refresh(self, http: Http, refresh_token: Secret, *, scope: str, details: Mapping[str, Any]) -> Grant:
        number = self._call("refresh", self.refresh_faults)
        plain = refresh_token.reveal()
        family = plain.partition(".")[0]
        with self.lock:
            if family in self.revoked:
                raise GrantRefused("The refresh token was revoked", status=400)
            if plain in self.spent:
                self.revoked.add(family)
                self.counts["families revoked"] += 1
                raise GrantRefused("The refresh token was used already", status=400)
            if self.rotates:
                self.spent.add(plain)
        return self._grant(f"access-canary-r{number}", f"{family}.{number}" if self.rotates else None)

    def list_environments(
        self, http: Http, secrets: Mapping[str, Secret], details: Mapping[str, Any]
    ) -> tuple[EnvironmentListing, ...]:
        self._call("list", self.list_faults)
        if secrets["access_token"].reveal() in self.dead_access:
            raise AccessRefused("The access token has expired", status=401)
        return tuple(self.environments)

    def encode(self, batch: Sequence[OutgoingEvent], target: Target) -> Encoded:
        return events.encode("https://events.vendor.test", batch, target)

    def read(self, response: Response, batch: Sequence[OutgoingEvent], target: Target) -> Reading:
        return events.read(response, batch, target)

    def _call(self, what: str, faults: list[Exception]) -> int:
        with self.lock:
            self.counts[what] += 1
            number = self.counts[what]
            fault = faults.pop(0) if faults else None
        self.during()
        if self.delay:
            time.sleep(self.delay)
        if fault is not None:
            raise fault
        return number

    def _grant(self, access: str, refresh: str | None) -> Grant:
        return Grant(
            access_token=Secret(access),
            refresh_token=Secret(refresh) if refresh else None,
            lifetime=self.lifetime,
        )


class FakeHttp:
    """Takes events: `inbox` has each as (ingest key, event). `answer` is what the vendor says."""

    def __init__(self) -> None:
        self.inbox: list[tuple[str, dict[str, Any]]] = []
        self.answer = Response(status=202, body=b'{"message": "Request Accepted"}')
        #: ingest keys that are refused
        self.refused: set[str] = set()

    def send(self, request: Request) -> Response:
        key = request.headers["x-api-key"]
        if key in self.refused:
            return Response(status=401, body=b'{"message": "Unauthorised"}')
        if self.answer.status == 202:
            self.inbox.extend((key, event) for event in json.loads(request.body))
        return self.answer


@contextmanager
def running_with(vendor: FakeVendor, http: FakeHttp, database_url: str, **settings: Any) -> Iterator[Runtime]:
    """A Runtime whose one provider is `vendor`."""
    rung: list[Bell] = []
    with running(database_url, **settings) as runtime:
        yield replace(runtime, providers={vendor.name: vendor}, http=cast("Http", http), wake=rung.append)
