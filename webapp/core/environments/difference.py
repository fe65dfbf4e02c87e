"""The list against the rows: what is new, gone, back, and has another key."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core import connections, credentials
from webapp.errors import VaultError
from webapp.lib.secret import Secret
from webapp.lib.vault import Vault
from webapp.models import (
    Account,
    Connection,
    Credential,
    CredentialKind,
    Environment,
    EnvironmentState,
)
from webapp.providers.base import EnvironmentListing


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What a list changed, as `workspace/environment`."""

    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    rekeyed: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = (("new", self.new), ("gone", self.gone), ("back", self.back), ("new key", self.rekeyed))
        return "; ".join(f"{word}: {', '.join(names)}" for word, names in parts if names) or "nothing changed"


def apply(
    session: Session, vault: Vault, connection: Connection, listings: Iterable[EnvironmentListing]
) -> Diff:
    """Make the rows what the list says, for the accounts that this connection holds now.

    The caller has locked the connection, and tends the destinations afterwards by `tend`.
    """
    held = _held(session, connection.id)
    known = _known(session, held)
    listed = {(one.account_key, one.vendor_key): one for one in listings if one.account_key in held}
    fresh = [
        _add(session, held[one.account_key], one.vendor_key)
        for key, one in listed.items()
        if key not in known
    ]
    session.flush()
    known |= {(account_key, row.vendor_key): row for account_key, row in _named(held, fresh)}
    back = [key for key in listed if known[key].state is EnvironmentState.MISSING]
    gone = [key for key, row in known.items() if key not in listed and row.state is EnvironmentState.PRESENT]
    rekeyed = [
        key for key, one in listed.items() if _keep_key(session, vault, connection.id, known[key].id, one)
    ]
    for key in back:
        known[key].state, known[key].missing_since = EnvironmentState.PRESENT, None
    for key in gone:
        known[key].state = EnvironmentState.MISSING
        known[key].missing_since = connections.moment_of(session)
    return Diff(
        new=tuple(f"{account_key}/{row.vendor_key}" for account_key, row in _named(held, fresh)),
        gone=_names(gone),
        back=_names(back),
        rekeyed=_names(rekeyed),
    )


def _keep_key(
    session: Session, vault: Vault, connection_id: UUID, environment_id: UUID, listing: EnvironmentListing
) -> bool:
    """Seal the listed key if it is another than the one we have; whether it replaced one."""
    if listing.ingest_key is None:
        return False
    parts = {"ingest_key": listing.ingest_key}
    key = credentials.find(session, connection_id, CredentialKind.INGEST_KEY, environment_id=environment_id)
    if key is None:
        credentials.add(
            session, vault, connection_id, CredentialKind.INGEST_KEY, parts, environment_id=environment_id
        )
        return False
    if _plain(vault, key) == listing.ingest_key:
        return False
    credentials.replace(session, vault, key, parts)
    return True


def _plain(vault: Vault, key: Credential) -> Secret | None:
    try:
        return credentials.open_parts(vault, key).get("ingest_key")
    except VaultError:
        return None  # what cannot be opened is mended by sealing the listed one anew


def _held(session: Session, connection_id: UUID) -> dict[str, Account]:
    held = session.scalars(
        select(Account).where(Account.connection_id == connection_id, Account.released_at.is_(None))
    )
    return {account.account_key: account for account in held}


def _known(session: Session, held: dict[str, Account]) -> dict[tuple[str, str], Environment]:
    rows = session.scalars(
        select(Environment).where(Environment.account_id.in_([account.id for account in held.values()]))
    ).all()
    return {(account_key, row.vendor_key): row for account_key, row in _named(held, rows)}


def _named(held: dict[str, Account], rows: Iterable[Environment]) -> list[tuple[str, Environment]]:
    keys = {account.id: account.account_key for account in held.values()}
    return [(keys[row.account_id], row) for row in rows]


def _names(keys: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{account_key}/{vendor_key}" for account_key, vendor_key in keys)


def _add(session: Session, account: Account, vendor_key: str) -> Environment:
    environment = Environment(account_id=account.id, vendor_key=vendor_key, state=EnvironmentState.PRESENT)
    session.add(environment)
    return environment
