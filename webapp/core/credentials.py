"""Credentials: the only room that seals and opens secrets.

A credential's secret parts (access and refresh token; e-mail and API token; an ingest key) are one JSON
object, sealed as a whole and bound to the row and to its connection. Plain values exist only between
`open_parts` and the vendor call.
"""

import json
import random
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from webapp.lib.database import db_time
from webapp.lib.ids import uuid7
from webapp.lib.secret import Secret
from webapp.lib.vault import Cell, Vault, new_key
from webapp.models import AuditHead, Credential, CredentialKind, Install, Revocation, Source

#: Every kind of row that holds a sealed value, in `sealed`.
Sealed = Credential | Install | AuditHead | Source | Revocation
#: A refresh is due at this share of the lifetime, drawn anew each time so that crowds spread.
_EARLIEST_SHARE, _LATEST_SHARE = 0.50, 0.67


def make_vault_key() -> str:
    """A fresh `id:base64` entry for HITCHPOST_VAULT_KEYS."""
    return new_key()


def add(
    session: Session,
    vault: Vault,
    connection_id: UUID,
    kind: CredentialKind,
    parts: Mapping[str, Secret],
    *,
    scope: str = "",
    environment_id: UUID | None = None,
    lifetime: float | None = None,
) -> Credential:
    """Seal `parts` into a new row. `lifetime` (seconds) schedules its refresh if a refresh token is there."""
    credential = Credential(
        id=uuid7(),
        connection_id=connection_id,
        kind=kind,
        scope=scope,
        environment_id=environment_id,
        slot=_slot(kind, scope, environment_id),
        generation=0,
    )
    replace(session, vault, credential, parts, lifetime=lifetime)
    session.add(credential)
    return credential


def replace(
    session: Session,
    vault: Vault,
    credential: Credential,
    parts: Mapping[str, Secret],
    *,
    lifetime: float | None = None,
    received: datetime | None = None,
) -> None:
    """Seal new `parts` into an existing row: one generation up, failures forgotten, schedule drawn anew.

    `lifetime` counts from the moment they were received, on the database's clock; None: now.
    """
    if received is None:
        # Asked first: what was changed by then would be written before it, and the rest after.
        received = session.execute(select(db_time())).scalar_one()
    credential.sealed = vault.seal(_pack(parts), _cell_of(credential))
    credential.key_id = vault.active
    # Written even where it looks unchanged: a rotation may have changed it since this row was read.
    flag_modified(credential, "key_id")
    credential.fingerprint = next(iter(parts.values())).fingerprint()
    credential.generation += 1
    credential.issued_at = received
    credential.lease = credential.asked_at = None
    credential.failures = 0
    credential.refused_at = credential.words = None
    credential.expires_at = credential.refresh_at = None
    if lifetime is not None:
        credential.expires_at = received + timedelta(seconds=lifetime)
        if "refresh_token" in parts:
            credential.refresh_at = received + timedelta(seconds=lifetime * refresh_share())


def refresh_share(draw: float | None = None) -> float:
    """The share of a lifetime after which to refresh, in [0.50, 0.67]. `draw` in [0, 1) replaces chance."""
    share = random.random() if draw is None else draw  # noqa: S311 - spreading load, not keeping a secret
    return _EARLIEST_SHARE + (_LATEST_SHARE - _EARLIEST_SHARE) * share


def open_parts(vault: Vault, credential: Credential) -> dict[str, Secret]:
    """The plain parts, by name; empty once wiped. Raises VaultError when the seal does not hold."""
    if credential.sealed is None:
        return {}
    return _unpack(vault.open(credential.sealed, _cell_of(credential)))


def find(
    session: Session,
    connection_id: UUID,
    kind: CredentialKind,
    *,
    scope: str = "",
    environment_id: UUID | None = None,
) -> Credential | None:
    """The credential in that slot, if any."""
    slot = _slot(kind, scope, environment_id)
    query = select(Credential).where(Credential.connection_id == connection_id, Credential.slot == slot)
    return session.execute(query).scalar_one_or_none()


def wipe(session: Session, connection_id: UUID) -> None:
    """Forget every secret of a connection. One generation up: no refresh in flight can bring one back."""
    session.execute(
        update(Credential)
        .where(Credential.connection_id == connection_id)
        .values(
            sealed=None,
            refresh_at=None,
            expires_at=None,
            lease=None,
            asked_at=None,
            generation=Credential.generation + 1,
        )
    )


def seal_for_install(vault: Vault, install: Install, parts: Mapping[str, Secret]) -> bytes:
    """Seal a code or a pending grant into an Install."""
    return vault.seal(_pack(parts), _cell_of(install))


def open_for_install(vault: Vault, install: Install) -> dict[str, Secret]:
    """What `seal_for_install` put in; empty once wiped."""
    if install.sealed is None:
        return {}
    return _unpack(vault.open(install.sealed, _cell_of(install)))


def seal_for_source(vault: Vault, source: Source, parts: Mapping[str, Secret]) -> None:
    """Seal the secrets of a Source into its row, in place of what it held."""
    source.sealed = vault.seal(_pack(parts), _cell_of(source))


def open_for_source(vault: Vault, source: Source) -> dict[str, Secret]:
    """What `seal_for_source` put in; empty once it ended. Raises VaultError when the seal does not hold."""
    if source.sealed is None:
        return {}
    return _unpack(vault.open(source.sealed, _cell_of(source)))


def seal_for_revocation(vault: Vault, revocation: Revocation, parts: Mapping[str, Secret]) -> None:
    """Seal what is to be given back to the vendor into its row."""
    revocation.sealed = vault.seal(_pack(parts), _cell_of(revocation))


def open_for_revocation(vault: Vault, revocation: Revocation) -> dict[str, Secret]:
    """What `seal_for_revocation` put in. Raises VaultError when the seal does not hold."""
    return _unpack(vault.open(revocation.sealed, _cell_of(revocation)))


def make_chain_key(vault: Vault, head: AuditHead) -> Secret:
    """A fresh key for the chain of audit lines, sealed into its row."""
    key = Secret(secrets.token_hex(32))
    head.sealed = vault.seal(key, _cell_of(head))
    return key


def open_chain_key(vault: Vault, head: AuditHead) -> Secret:
    """The key of the chain of audit lines. Raises VaultError when the seal does not hold."""
    return vault.open(head.sealed, _cell_of(head))


def reseal(vault: Vault, row: Sealed) -> None:
    """Seal what `row` holds once more, under the active key; what it means is the same.

    Raises VaultError when the seal does not hold, and leaves the row as it was.
    """
    if row.sealed is None:
        return
    row.sealed = vault.seal(vault.open(row.sealed, _cell_of(row)), _cell_of(row))
    if isinstance(row, Credential):
        row.key_id = vault.active


def code_digests(vault: Vault, provider: str, code: Secret) -> tuple[bytes, ...]:
    """Keyed digests of a code: store the first, look up by any (older keys of the ring follow)."""
    return vault.digests(f"code:{provider}", code)


def _slot(kind: CredentialKind, scope: str, environment_id: UUID | None) -> str:
    return f"{kind.value}:{scope}:{environment_id or ''}"


def _cell_of(row: Sealed) -> Cell:
    """The cell of `row`'s sealed value: what hangs from a connection is bound to it too."""
    owner = row.connection_id if isinstance(row, Credential | Revocation) else row.id
    return Cell(row.__tablename__, row.id, owner, "sealed")


def _pack(parts: Mapping[str, Secret]) -> Secret:
    return Secret(json.dumps({name: part.reveal() for name, part in parts.items()}))


def _unpack(packed: Secret) -> dict[str, Secret]:
    values: dict[str, Any] = json.loads(packed.reveal())
    return {name: Secret(value) for name, value in values.items()}


__all__ = [
    "Sealed",
    "add",
    "code_digests",
    "find",
    "make_chain_key",
    "make_vault_key",
    "open_chain_key",
    "open_for_install",
    "open_for_revocation",
    "open_for_source",
    "open_parts",
    "refresh_share",
    "replace",
    "reseal",
    "seal_for_install",
    "seal_for_revocation",
    "seal_for_source",
    "wipe",
]
