"""Many grants at once, for tests that rotate keys and race disconnects."""

from uuid import UUID

from tests.fake_vendor import CLIENT_KEY
from webapp.core import credentials, users
from webapp.core.runtime import Runtime
from webapp.lib.ids import uuid7
from webapp.lib.secret import Secret
from webapp.models import Connection, ConnectionState, Credential, CredentialKind

LIFETIME = 86_400.0


def make_grants(
    runtime: Runtime, count: int, *, due: bool = False, lifetime: float = LIFETIME
) -> list[Credential]:
    """So many connections of one user, each with a grant of its own."""
    with runtime.database.write() as session:
        owner = users.ensure_external(session, "grants").id
        made = [_connection(owner) for _ in range(count)]
        session.add_all(made)
        session.flush()
        grants = [
            credentials.add(
                session,
                runtime.vault,
                connection.id,
                CredentialKind.GRANT,
                {
                    "access_token": Secret(f"access-canary-{number}"),
                    "refresh_token": Secret(f"refresh-canary-{connection.id}"),
                },
                lifetime=lifetime,
            )
            for number, connection in enumerate(made)
        ]
        for grant in grants if due else ():
            grant.refresh_at = grant.issued_at
        return grants


def _connection(owner: UUID) -> Connection:
    return Connection(
        id=uuid7(),
        user_id=owner,
        provider="baselime",
        client_key=CLIENT_KEY,
        label="acme",
        state=ConnectionState.ACTIVE,
    )
