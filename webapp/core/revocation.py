"""Revocation: what a vendor granted is given back to it, where it takes it back (RFC 7009)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core import credentials
from webapp.core.runtime import Runtime
from webapp.errors import VendorError
from webapp.lib.secret import Secret
from webapp.models import Connection, Credential
from webapp.providers.base import Revokes


@dataclass(frozen=True, slots=True)
class Held:
    """One credential of a connection, opened to be given back."""

    credential_id: UUID
    generation: int
    parts: Mapping[str, Secret] = field(repr=False)


def read_held(
    session: Session, runtime: Runtime, connection: Connection, *, beyond: Iterable[Held] = ()
) -> list[Held]:
    """What there is to give back, without what is in `beyond`; nothing where the vendor takes nothing."""
    if not isinstance(runtime.providers.get(connection.provider), Revokes):
        return []
    known = {(held.credential_id, held.generation) for held in beyond}
    rows = session.scalars(
        select(Credential).where(
            Credential.connection_id == connection.id,
            Credential.environment_id.is_(None),
            Credential.sealed.is_not(None),
        )
    )
    return [
        Held(row.id, row.generation, credentials.open_parts(runtime.vault, row))
        for row in rows
        if (row.id, row.generation) not in known
    ]


def give_back(runtime: Runtime, connection: Connection, granted: Iterable[Mapping[str, Secret]]) -> bool:
    """Ask the vendor to end each; whether it agreed to all. Call it with no transaction open."""
    provider = runtime.providers.get(connection.provider)
    agreed = True
    if not isinstance(provider, Revokes):
        return agreed
    for parts in granted:
        try:
            provider.revoke(runtime.http, parts, connection.details)
        except VendorError:
            agreed = False
    return agreed
