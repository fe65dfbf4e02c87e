"""Puts what a test needs into a database, without walking through the pages."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen
from uuid import UUID

from sqlalchemy.orm import Session

from webapp.core import api_keys, credentials, destinations, users
from webapp.core.api_keys import Scope
from webapp.core.audit import HITCHPOST
from webapp.core.runtime import Runtime
from webapp.lib.ids import uuid7
from webapp.lib.secret import Secret
from webapp.models import Account, Connection, ConnectionState, CredentialKind, Environment

KIND = "baselime.events"


@dataclass(frozen=True, slots=True)
class Connected:
    """A user whose events go to one environment of their own."""

    external_id: str
    connection_id: UUID
    environment_id: UUID
    destination_id: UUID
    #: how the sandbox names the environment: `workspace/environment`
    account: str


def connect(runtime: Runtime, console_url: str, external_id: str, **wanted: Any) -> Connected:
    """A user with a connection to a workspace of their own in the sandbox at `console_url`.

    `wanted` are the destination's settings.
    """
    key = _add_environment(console_url, workspace := f"w-{external_id}", "prod")
    return attach(runtime, external_id, workspace, key, **wanted)


def attach(
    runtime: Runtime, external_id: str, account: str, key: str, kind: str = KIND, **wanted: Any
) -> Connected:
    """A user with a connection to `account` of the vendor that `kind` names, opened by `key`."""
    provider = kind.partition(".")[0]
    with runtime.database.write() as session:
        user = users.ensure_external(session, external_id)
        connection = Connection(
            id=uuid7(),
            user_id=user.id,
            provider=provider,
            client_key=f"{provider}:test",
            label=account,
            state=ConnectionState.ACTIVE,
            details={"host": "app.last9.io"} if provider == "last9" else {},
        )
        row = Account(id=uuid7(), connection_id=connection.id, provider=provider, account_key=account)
        environment = Environment(id=uuid7(), account_id=row.id, vendor_key="prod")
        for made in (connection, row, environment):
            session.add(made)
            session.flush()
        _add_key(session, runtime, environment, row, Secret(key))
        destination = destinations.create(session, HITCHPOST, environment.id, kind, wanted)
    return Connected(external_id, connection.id, environment.id, destination.id, f"{account}/prod")


def _add_key(session: Session, runtime: Runtime, environment: Environment, row: Account, key: Secret) -> None:
    """What that vendor is sent: Baselime an environment's key, Last9 a grant's access token."""
    if row.provider == "last9":
        kind, parts, scope, own = CredentialKind.GRANT, {"access_token": key}, "write", None
    else:
        kind, parts, scope, own = CredentialKind.INGEST_KEY, {"ingest_key": key}, "", environment.id
    credentials.add(session, runtime.vault, row.connection_id, kind, parts, scope=scope, environment_id=own)


def api_key(runtime: Runtime) -> str:
    """A key that may send events for anybody."""
    with runtime.database.write() as session:
        _, text = api_keys.create(session, HITCHPOST, "test", [Scope.EVENTS_WRITE, Scope.EVENTS_READ])
    return text.reveal()


def _add_environment(console_url: str, workspace: str, environment: str) -> str:
    wanted = {"workspaceId": workspace, "environmentId": environment}
    request = Request(  # noqa: S310 - the sandbox on loopback
        f"{console_url}/api/accounts/baselime/environments",
        data=json.dumps(wanted).encode(),
        headers={"content-type": "application/json"},
    )
    with urlopen(request, timeout=5):  # noqa: S310 - the sandbox on loopback
        pass
    with urlopen(f"{console_url}/api/accounts", timeout=5) as answer:  # noqa: S310 - the sandbox on loopback
        listed = json.load(answer)["baselime"]["environments"]
    return next(str(one["apiKey"]) for one in listed if wanted.items() <= one.items())
