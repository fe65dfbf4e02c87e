"""Word of a new connection, for the account's owner at the vendor: one event into each chosen environment."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core import audit
from webapp.core.audit import HITCHPOST, Act
from webapp.core.delivery.aiming import Aim, NoAim, take_aim
from webapp.core.installs import courier
from webapp.core.runtime import Runtime
from webapp.errors import NotFound, VendorError
from webapp.models import Account, Connection, Destination, Environment, User
from webapp.providers.receiving import Target

_TYPE = "hitchpost.connected"


def announce(runtime: Runtime, connection_id: UUID, environment_ids: Sequence[UUID]) -> int:
    """Send "connected by …" into those environments, the way their destinations go; how many took it.

    Best effort: the timeline says where it arrived and where not. Raises NotFound for no such connection.
    """
    with runtime.database.read() as session:
        connection = session.get(Connection, connection_id)
        if connection is None:
            raise NotFound
        owner = session.get_one(User, connection.user_id).label
        ways = _ways(session, connection_id, environment_ids)
    text = f"{owner} connected this environment to Hitchpost, which will forward events of their app here."
    results: dict[str, str] = {}
    for name, destination in ways:
        if name in results:
            continue
        try:
            aim = take_aim(runtime, destination)
            if courier.send(runtime, aim.provider, _target(aim), type=_TYPE, text=text):
                results[name] = "arrived"
        except (VendorError, NoAim) as error:
            results[name] = f"did not arrive ({error})"
    _record(runtime, connection_id, results)
    return sum(result == "arrived" for result in results.values())


def _target(aim: Aim) -> Target:
    """Where the destination sends; if that takes OpenTelemetry data alone, where events would go there."""
    if aim.kind.carries(_TYPE):
        return aim.target
    place = (aim.target.account_key, aim.target.environment_key)
    return courier.target(aim.provider, place, aim.target.secrets["ingest_key"])


def _ways(
    session: Session, connection_id: UUID, environment_ids: Sequence[UUID]
) -> list[tuple[str, Destination]]:
    """The destinations of those environments, each with its environment's name."""
    rows = session.execute(
        select(Account.account_key, Environment.vendor_key, Destination)
        .join(Environment, Environment.account_id == Account.id)
        .join(Destination, Destination.environment_id == Environment.id)
        .where(
            Account.connection_id == connection_id,
            Environment.id.in_(environment_ids),
            Destination.closed_at.is_(None),
        )
        .order_by(Account.account_key, Environment.vendor_key, Destination.kind)
    )
    return [(f"{account_key}/{vendor_key}", destination) for account_key, vendor_key, destination in rows]


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
