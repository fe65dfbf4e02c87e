"""The simulated vendors as tests use them: told what to do, asked what they took, connected by pasting."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from tests.runtimes import running
from webapp.core import delivery, destinations, events, installs, sessions, users
from webapp.core.audit import HITCHPOST
from webapp.core.events import EventForm
from webapp.core.installs import Browser
from webapp.core.runtime import Runtime
from webapp.lib.database import db_time
from webapp.lib.http import Http, Request
from webapp.models import (
    Account,
    Attempt,
    Connection,
    Destination,
    Environment,
    SessionKind,
    UserSession,
)
from webapp.sandbox import Sandbox
from webapp.sandbox.baselime.accounts import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET


class Vendors:
    """One sandbox's control API."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.urls = sandbox.urls
        self._world = sandbox.world

    def reset(self) -> None:
        """As new: nothing taken, no faults."""
        self.call("POST", "/api/reset")
        self.call("DELETE", "/api/faults")

    def fault(self, vendor: str, endpoint: str, kind: str, **more: Any) -> None:
        """Switch a fault on."""
        self.call("POST", "/api/faults", {"vendor": vendor, "endpoint": endpoint, "kind": kind, **more})

    def mend(self) -> None:
        """Switch every fault off."""
        self.call("DELETE", "/api/faults")

    def accounts(self, vendor: str) -> Any:
        """What one needs to connect there."""
        return self.call("GET", "/api/accounts")[vendor]

    def taken(self, vendor: str) -> list[dict[str, Any]]:
        """The events it took, in order."""
        found = self.call("GET", f"/api/received?vendor={vendor}")["received"]
        return [one["event"] for one in found]

    def count(self, what: str) -> int:
        """How many requests of that sort came in, answered or not."""
        return int(self.call("GET", "/api/counts").get(what, 0))

    def minted(self) -> list[str]:
        """The ids of Librato's API tokens that Hitchpost made."""
        return [
            str(one.id)
            for one in self._world.librato.tokens.all()
            if (one.name or "").startswith("Hitchpost")
        ]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Any call of the control API."""
        with closing(Http(allow_private=True)) as http:
            answer = http.send(
                Request(
                    method=method,
                    url=self.urls["console"] + path,
                    headers={"content-type": "application/json"},
                    body=b"" if body is None else json.dumps(body).encode(),
                )
            )
        assert answer.status < 300, answer.body
        return json.loads(answer.body)

    def pasted(self, vendor: str, role: str = "") -> dict[str, str]:
        """What a person pastes into the form of that vendor: by default the strongest that it takes."""
        account = self.accounts(vendor)
        if vendor == "last9":
            return {"refresh_tokens": account["tokens"][role or "write"], "base_url": ""}
        return {"email": account["email"], "api_token": account["tokens"][role or "admin"], "mint": "on"}


def addresses(urls: Mapping[str, str]) -> dict[str, Any]:
    """The settings that point every vendor's address at the sandbox."""
    return {
        "baselime_client_id": DEFAULT_CLIENT_ID,
        "baselime_client_secret": DEFAULT_CLIENT_SECRET,
        "baselime_console_url": urls["baselime"],
        "baselime_api_url": urls["baselime"],
        "baselime_events_url": urls["baselime_events"],
        "baselime_otel_url": urls["baselime_otel"],
        "last9_url": urls["last9"],
        "librato_url": urls["librato"],
    }


@contextmanager
def running_beside(vendors: Vendors, database_url: str, **more: Any) -> Iterator[Runtime]:
    """A Runtime that knows all three, each at the sandbox."""
    with running(database_url, **addresses(vendors.urls), **more) as runtime:
        yield runtime


def sign_in(runtime: Runtime, name: str = "ada") -> UserSession:
    """A fresh session of that person."""
    with runtime.database.write() as session:
        user = users.ensure_external(session, name)
        cookie = sessions.open(session, user.id, SessionKind.CONNECT)
        session.flush()
        found = sessions.find(session, cookie)
        assert found is not None
        return found


def confirm(runtime: Runtime, who: UserSession, install_id: UUID) -> Connection:
    """Say yes to what the install's page shows."""
    page = installs.open_page(runtime, install_id, Browser(session=who))
    return installs.confirm(runtime, install_id, Browser(session=who), seal=page.seal)


def connect(runtime: Runtime, who: UserSession, provider: str, values: Mapping[str, str]) -> Connection:
    """Paste and confirm."""
    return confirm(runtime, who, installs.paste(runtime, who, provider, values))


def forward(runtime: Runtime, connection_id: UUID, kind: str, **settings: Any) -> UUID:
    """A destination of that kind in the connection's one environment."""
    with runtime.database.write() as session:
        environment = session.scalars(
            select(Environment.id)
            .join(Account, Account.id == Environment.account_id)
            .where(Account.connection_id == connection_id)
            .order_by(Environment.vendor_key)
            .limit(1)
        ).one()
        return destinations.create(session, HITCHPOST, environment, kind, settings).id


def accept(runtime: Runtime, *ids: str, user: str = "ada", **fields: Any) -> None:
    """Events of these ids, from the host app."""
    items = [{"user": user, "id": name, "source": "ci", "type": "deployment", **fields} for name in ids]
    events.accept(runtime, json.dumps(items).encode(), form=EventForm.NATIVE, only_user=None)


def drain(runtime: Runtime, *, hastened: int = 0) -> None:
    """Deliver until nothing is due; `hastened` times make what waits for later due and go on."""
    for again in range(hastened + 1):
        if again:
            waits = (Destination.due_at.is_not(None), Destination.lease_token.is_(None))
            with runtime.database.write() as session:
                session.execute(update(Destination).where(*waits).values(due_at=db_time()))
        while delivery.work_left(runtime):
            delivery.drain(runtime)


def destination(runtime: Runtime, destination_id: UUID) -> Destination:
    """Its row."""
    with runtime.database.read() as session:
        return session.get_one(Destination, destination_id)


def attempts(runtime: Runtime, destination_id: UUID) -> list[tuple[str, int, str | None]]:
    """Outcome, events and words of each run, in order."""
    with runtime.database.read() as session:
        rows = session.scalars(
            select(Attempt).where(Attempt.destination_id == destination_id).order_by(Attempt.id)
        )
        return [(row.outcome.value, row.events, row.words) for row in rows]
