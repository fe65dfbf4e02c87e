"""Puts what a test needs into a database, without walking through the pages."""

import json
from dataclasses import dataclass
from urllib.request import Request, urlopen
from uuid import UUID

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


def connect(runtime: Runtime, console_url: str, external_id: str) -> Connected:
    """A user with a connection to a workspace of their own in the sandbox at `console_url`."""
    key = _add_environment(console_url, workspace := f"w-{external_id}", "prod")
    with runtime.database.write() as session:
        user = users.ensure_external(session, external_id)
        connection = Connection(
            id=uuid7(),
            user_id=user.id,
            provider="baselime",
            client_key="baselime:test",
            label=workspace,
            state=ConnectionState.ACTIVE,
        )
        account = Account(id=uuid7(), connection_id=connection.id, provider="baselime", account_key=workspace)
        environment = Environment(id=uuid7(), account_id=account.id, vendor_key="prod")
        for row in (connection, account, environment):
            session.add(row)
            session.flush()
        parts = {"ingest_key": Secret(key)}
        kind = CredentialKind.INGEST_KEY
        credentials.add(session, runtime.vault, connection.id, kind, parts, environment_id=environment.id)
        made = destinations.create(session, HITCHPOST, environment.id, KIND, {})
    return Connected(external_id, connection.id, environment.id, made.id, f"{workspace}/prod")


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
