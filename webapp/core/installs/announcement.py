"""Word of a new connection, for the account's owner at the vendor: one event into each chosen environment."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from webapp.core import audit, credentials
from webapp.core.audit import HITCHPOST, Act
from webapp.core.installs import courier
from webapp.core.runtime import Runtime
from webapp.errors import NotFound, VaultError, VendorError
from webapp.models import Account, Connection, Credential, CredentialKind, Destination, Environment, User


def announce(runtime: Runtime, connection_id: UUID, environment_ids: Sequence[UUID]) -> int:
    """Send "connected by …" into those environments of this connection; how many took it.

    Best effort: the timeline says where it arrived and where not. Raises NotFound for no such connection.
    """
    with runtime.database.read() as session:
        connection = session.get(Connection, connection_id)
        if connection is None:
            raise NotFound
        owner = session.get_one(User, connection.user_id).label
        rows = session.execute(
            select(Account.account_key, Environment, Credential, Destination.settings)
            .join(Environment, Environment.account_id == Account.id)
            .join(Credential, Credential.environment_id == Environment.id)
            .join(Destination, Destination.environment_id == Environment.id, isouter=True)
            .where(
                Account.connection_id == connection_id,
                Environment.id.in_(environment_ids),
                Credential.kind == CredentialKind.INGEST_KEY,
                Credential.sealed.is_not(None),
            )
            .order_by(Account.account_key, Environment.vendor_key)
        ).all()
    text = f"{owner} connected this environment to Hitchpost, which will forward events of their app here."
    results: dict[str, str] = {}
    for account_key, environment, credential, settings in rows:
        name = f"{account_key}/{environment.vendor_key}"
        if name in results:
            continue
        try:
            key = credentials.open_parts(runtime.vault, credential)["ingest_key"]
            place = (account_key, environment.vendor_key)
            courier.send(
                runtime,
                connection.provider,
                place,
                key,
                type="hitchpost.connected",
                text=text,
                settings=settings,
            )
            results[name] = "arrived"
        except (VendorError, VaultError) as error:
            results[name] = f"did not arrive ({error})"
    _record(runtime, connection_id, results)
    return sum(result == "arrived" for result in results.values())


def _record(runtime: Runtime, connection_id: UUID, results: dict[str, str]) -> None:
    if not results:
        return
    detail = "; ".join(f"{name}: {result}" for name, result in results.items())
    with runtime.database.write() as session:
        audit.record(
            session,
            HITCHPOST,
            Act.ANNOUNCED,
            f"connection:{connection_id}",
            connection_id=connection_id,
            detail=f"connected by: {detail}",
        )
