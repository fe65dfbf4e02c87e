"""Hand-outs: an access token given to a host app that may have it, with a line in the audit for each."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from webapp.core import audit, credentials
from webapp.core.audit import Act, Actor
from webapp.core.refresh import fresh_access, is_fresh
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
    given = _give(runtime, actor, connection_id, scope, min_ttl)
    if given is None:
        fresh_access(runtime, connection_id, scope, min_ttl=min_ttl)
        # As old as it may be: what can be had by now is what there is.
        given = _give(runtime, actor, connection_id, scope, 0.0)
    if given is None:
        raise Conflict("this connection, or its access token, ended meanwhile")
    return given


def _give(runtime: Runtime, actor: Actor, connection_id: UUID, scope: str, min_ttl: float) -> HandOut | None:
    """Read it, open it, write the line: a look and a line, and no lock. None when it is not fresh enough."""
    with runtime.database.write() as session:
        found = credentials.find_now(session, connection_id, CredentialKind.GRANT, scope=scope)
        if found is None or not is_fresh(*found, min_ttl):
            return None
        grant = found[0]
        parts = credentials.open_parts(runtime.vault, grant)
        # Beside what is given: whoever refreshes meanwhile, the line names this very one.
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
