"""What a new list means for destinations, in a transaction of its own: they are locked before connections."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core import connections, destinations
from webapp.core.audit import HITCHPOST
from webapp.core.environments.difference import Diff
from webapp.core.runtime import Bell, Runtime
from webapp.models import Account, Destination, Environment, Hold

#: A vanished environment keeps its key and its destinations this long, in case the vendor erred.
MISSING_GRACE = timedelta(hours=72)


def tend(runtime: Runtime, connection_id: UUID, diff: Diff, *, renewed: bool = False) -> None:
    """Bring the destinations in line: hold those long gone, release those that are back or have a new key.

    `renewed`: what the connection holds was accepted by the vendor just now, so no refusal of old stands.
    """
    with runtime.database.write() as session:
        now = connections.moment_of(session)
        for destination, environment, account in _standing(session, connection_id):
            name = f"{account.account_key}/{environment.vendor_key}"
            missing = environment.missing_since
            if missing is not None and now - missing > MISSING_GRACE and destination.hold is None:
                destinations.hold(
                    session, destination.id, Hold.GONE, "Its environment is gone from the vendor's list."
                )
            back = destination.hold is Hold.GONE and missing is None
            if back or (destination.hold is Hold.KEY_REFUSED and (renewed or name in diff.rekeyed)):
                destinations.release(session, HITCHPOST, destination.id)
        connections.recover(session, connection_id)
    runtime.wake(Bell.DELIVERY)


def _standing(session: Session, connection_id: UUID) -> list[tuple[Destination, Environment, Account]]:
    rows = session.execute(
        select(Destination, Environment, Account)
        .join(Environment, Environment.id == Destination.environment_id)
        .join(Account, Account.id == Environment.account_id)
        .where(Account.connection_id == connection_id, Destination.closed_at.is_(None))
        .order_by(Destination.id)
    )
    return [(destination, environment, account) for destination, environment, account in rows]
