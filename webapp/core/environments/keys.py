"""When the vendor refuses what events are sent with: whether there is another by now."""

from contextlib import suppress
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core import connections, refresh
from webapp.core.environments.fetching import fetch
from webapp.core.runtime import Runtime
from webapp.errors import HitchpostError
from webapp.models import Connection, Credential, CredentialKind

#: A list this fresh answers all destinations that were refused together; an older one may predate a new key.
FRESH_SECONDS = 5.0


def after_access_refused(runtime: Runtime, credential_id: UUID, generation: int) -> bool:
    """The same for a grant or an API token: True when another is here now, so try again.

    A grant gets one forced refresh. An API token has no other: it is verified, so that its connection says
    what is so.
    """
    with runtime.database.read() as session:
        credential = session.get(Credential, credential_id)
    if credential is None or credential.sealed is None:
        return False
    if credential.generation > generation:
        return True
    if credential.kind is CredentialKind.GRANT:
        refresh.refresh_one(runtime, credential_id, generation=generation)
    else:
        with suppress(HitchpostError):
            fetch(runtime, credential.connection_id)
    with runtime.database.read() as session:
        credential = session.get(Credential, credential_id)
        return credential is not None and credential.generation > generation


def after_key_refused(runtime: Runtime, environment_id: UUID, generation: int) -> bool:
    """The vendor refused the ingest key of that generation: True when another key is here now, so try again.

    However many destinations ask, the list is fetched once. When it cannot be, the answer is False, and a
    later list with a new key releases the destination.
    """
    with runtime.database.read() as session:
        key = _key_of(session, environment_id)
        if key is None or key.generation > generation:
            return key is not None
        connection = session.get_one(Connection, key.connection_id)
        age = connections.moment_of(session) - (connection.environments_fetched_at or connection.created_at)
        fetched = connection.environments_fetched_at is not None and age.total_seconds() < FRESH_SECONDS
    if not fetched:
        try:
            fetch(runtime, connection.id)
        except HitchpostError:
            return False
    with runtime.database.read() as session:
        key = _key_of(session, environment_id)
        return key is not None and key.generation > generation


def _key_of(session: Session, environment_id: UUID) -> Credential | None:
    return session.scalars(
        select(Credential).where(
            Credential.environment_id == environment_id, Credential.kind == CredentialKind.INGEST_KEY
        )
    ).one_or_none()
