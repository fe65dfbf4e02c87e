"""Aiming: what a destination's encoder needs, with the key, for the length of one turn."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core import credentials
from webapp.core.runtime import Runtime
from webapp.errors import HitchpostError, NotFound, VaultError
from webapp.lib.secret import Secret
from webapp.models import Account, Connection, ConnectionState, CredentialKind, Environment
from webapp.providers.receiving import DestinationKind, Receives, Target


class NoAim(HitchpostError):
    """A destination has nothing to send with."""

    def __init__(self, message: str, *, for_good: bool) -> None:
        """`for_good`: waiting alone will not mend it."""
        super().__init__(message)
        self.for_good = for_good


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Where a turn sends, and how."""

    provider: Receives
    kind: DestinationKind
    target: Target
    environment_id: UUID
    connection_id: UUID
    credential_id: UUID
    user_id: UUID
    #: something was wrong with the connection: a delivery may show that it is not any more
    troubled: bool
    #: of the credential: goes up with every new key
    generation: int
    #: settings version and key generation: what a Destination's `witness` is compared with
    witness: str


class Aimed(Protocol):
    """What says where to aim: a destination, or its aimed."""

    @property
    def environment_id(self) -> UUID:
        """Where to."""
        ...

    @property
    def kind(self) -> str:
        """By which endpoint and encoder."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """For the encoder."""
        ...

    @property
    def settings_version(self) -> int:
        """Goes up with every change of them."""
        ...


def take_aim(runtime: Runtime, aimed: Aimed) -> Aim:
    """Read what is needed and open the key. Raises NoAim."""
    with runtime.database.read() as session:
        environment, account, connection = _rows(session, aimed.environment_id)
        provider, kind = _receiver(runtime, connection, aimed.kind)
        credential_kind = CredentialKind(kind.credential_kind)
        own = environment.id if credential_kind is CredentialKind.INGEST_KEY else None
        credential = credentials.find(
            session, connection.id, credential_kind, scope=kind.credential_scope, environment_id=own
        )
        if credential is None or credential.sealed is None:
            raise NoAim("there is no key to send with", for_good=True)
        try:
            secrets = credentials.open_parts(runtime.vault, credential)
        except VaultError as error:
            raise NoAim(f"the key cannot be opened: {error}", for_good=False) from None
    return Aim(
        provider=provider,
        kind=kind,
        target=_target(aimed, environment, account, connection, secrets),
        environment_id=environment.id,
        connection_id=connection.id,
        credential_id=credential.id,
        user_id=connection.user_id,
        troubled=connection.state is ConnectionState.DEGRADED,
        generation=credential.generation,
        witness=f"{aimed.settings_version}:{credential.generation}",
    )


def sketch(runtime: Runtime, aimed: Aimed) -> tuple[Receives, DestinationKind, Target, UUID]:
    """The same without a key, `***` in its place, and whose events would go there. Raises NoAim, NotFound."""
    with runtime.database.read() as session:
        environment, account, connection = _rows(session, aimed.environment_id)
    provider, kind = _receiver(runtime, connection, aimed.kind)
    target = _target(aimed, environment, account, connection, defaultdict(lambda: Secret("***")))
    return provider, kind, target, connection.user_id


def _receiver(runtime: Runtime, connection: Connection, kind: str) -> tuple[Receives, DestinationKind]:
    provider = runtime.providers.get(connection.provider)
    if not isinstance(provider, Receives):
        raise NoAim(f"this instance sends nothing to {connection.provider}", for_good=False)
    return provider, _kind(provider, kind)


def _target(
    aimed: Aimed,
    environment: Environment,
    account: Account,
    connection: Connection,
    secrets: Mapping[str, Secret],
) -> Target:
    return Target(
        kind=aimed.kind,
        account_key=account.account_key,
        environment_key=environment.vendor_key,
        settings=aimed.settings,
        details=connection.details,
        secrets=secrets,
    )


def _rows(session: Session, environment_id: UUID) -> tuple[Environment, Account, Connection]:
    query = (
        select(Environment, Account, Connection)
        .join(Account, Account.id == Environment.account_id)
        .join(Connection, Connection.id == Account.connection_id)
        .where(Environment.id == environment_id)
    )
    found = session.execute(query).one_or_none()
    if found is None:
        raise NotFound("There is no such environment.")
    environment, account, connection = found
    return environment, account, connection


def _kind(provider: Receives, name: str) -> DestinationKind:
    for kind in provider.kinds:
        if kind.name == name:
            return kind
    raise NoAim(f"this instance knows no {name}", for_good=False)
