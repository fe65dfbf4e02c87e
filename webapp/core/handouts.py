"""Hand-outs: an access token given to a host app that may have it, with a line in the audit for each."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import bindparam, select

from webapp.core import audit, credentials
from webapp.core.audit import Act, Actor
from webapp.core.refresh import fresh_access, is_fresh
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, NotFound
from webapp.lib.database import db_time
from webapp.lib.secret import Secret
from webapp.models import Connection, Credential, CredentialKind
from webapp.providers.base import ListsEnvironments


@dataclass(frozen=True, slots=True)
class HandOut:
    """An access token that works now; `expires_at` None: it does not end by itself."""

    access_token: Secret
    expires_at: datetime | None


def hand_out(
    runtime: Runtime,
    actor: Actor,
    connection_id: UUID,
    *,
    only_user: UUID | None = None,
    scope: str = "",
    min_ttl: float = 60.0,
) -> HandOut:
    """The connection's access token, refreshed first if it would not last `min_ttl` seconds.

    Without a `scope` it is the one that Hitchpost itself works with. `only_user` is the one user whose
    connections the actor may see. Raises NotFound when there is no such connection for the actor, Conflict
    when it has no grant or the vendor refuses it, VendorUnavailable when it cannot be renewed now.
    """
    give = partial(_give, runtime, actor, connection_id, only_user=only_user, scope=scope)
    given = give(min_ttl=min_ttl)
    if isinstance(given, str):
        fresh_access(runtime, connection_id, given, min_ttl=min_ttl)
        # As old as it may be: what can be had by now is what there is.
        given = give(min_ttl=0.0)
    if isinstance(given, str):
        raise Conflict("this connection, or its access token, ended meanwhile")
    return given


_GRANTS = (
    select(Connection.provider, Connection.user_id, Credential, db_time().label("now"))
    .outerjoin(
        Credential,
        (Credential.connection_id == Connection.id)
        & (Credential.kind == CredentialKind.GRANT)
        & Credential.sealed.is_not(None),
    )
    .where(Connection.id == bindparam("connection_id"))
)


def _give(
    runtime: Runtime,
    actor: Actor,
    connection_id: UUID,
    *,
    only_user: UUID | None,
    scope: str,
    min_ttl: float,
) -> HandOut | str:
    """Read it, open it, write the line: a look and a line, and no lock. Its scope, when it is too old."""
    with runtime.database.write() as session:
        rows = session.execute(_GRANTS, {"connection_id": connection_id}).all()
        if not rows or only_user not in {None, rows[0].user_id}:
            raise NotFound
        scope = scope or _usual_scope(runtime, rows[0].provider)
        grant = next(
            (row.Credential for row in rows if row.Credential and row.Credential.scope == scope), None
        )
        if grant is None or not is_fresh(grant, rows[0].now, min_ttl):
            return scope
        access = credentials.open_parts(runtime.vault, grant)["access_token"]
        # Beside what is given: whoever refreshes meanwhile, the line names this very one.
        audit.record(
            session,
            actor,
            Act.CREDENTIAL_HANDED_OUT,
            f"credential:{grant.id}",
            connection_id=connection_id,
            detail=f"the access token {grant.fingerprint}",
        )
        return HandOut(access, grant.expires_at)


def _usual_scope(runtime: Runtime, provider_name: str) -> str:
    provider: object = runtime.providers.get(provider_name)
    kind, scope = provider.lists_with if isinstance(provider, ListsEnvironments) else ("", "")
    return scope if kind == CredentialKind.GRANT else ""
