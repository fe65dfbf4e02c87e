"""Hand-outs: an access token given to a host app that may have it, with a line in the audit for each."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from webapp.core import audit, credentials
from webapp.core.audit import Act, Actor
from webapp.core.refresh import fresh_access
from webapp.core.runtime import Runtime
from webapp.errors import Conflict
from webapp.lib.secret import Secret
from webapp.models import Connection, CredentialKind
from webapp.providers.base import ListsEnvironments


@dataclass(frozen=True, slots=True)
class HandOut:
    """An access token that works now; `expires_at` None: it does not end by itself."""

    access_token: Secret
    expires_at: datetime | None


def hand_out(
    runtime: Runtime, actor: Actor, connection_id: UUID, *, scope: str = "", min_ttl: float = 60.0
) -> HandOut:
    """The connection's access token, refreshed first if it would not last `min_ttl` seconds.

    Without a `scope` it is the one that Hitchpost itself works with.

    Whether `actor` may see this connection is for the caller to know. Raises Conflict when there is no grant
    or the vendor refuses it, VendorUnavailable when it cannot be renewed now.
    """
    scope = scope or _usual_scope(runtime, connection_id)
    fresh_access(runtime, connection_id, scope, min_ttl=min_ttl)
    with runtime.database.write() as session:
        # Read again beside the audit line: what is given is what is written down, whoever refreshed since.
        grant = credentials.find(session, connection_id, CredentialKind.GRANT, scope=scope)
        parts = credentials.open_parts(runtime.vault, grant) if grant is not None else {}
        if grant is None or not parts:
            raise Conflict("this connection was disconnected meanwhile")
        audit.record(
            session,
            actor,
            Act.CREDENTIAL_HANDED_OUT,
            f"credential:{grant.id}",
            connection_id=connection_id,
            detail=f"the access token {grant.fingerprint}",
        )
        return HandOut(parts["access_token"], grant.expires_at)


def _usual_scope(runtime: Runtime, connection_id: UUID) -> str:
    with runtime.database.read() as session:
        connection = session.get(Connection, connection_id)
    provider: object = runtime.providers.get(connection.provider) if connection else None
    kind, scope = provider.lists_with if isinstance(provider, ListsEnvironments) else ("", "")
    return scope if kind == CredentialKind.GRANT else ""
