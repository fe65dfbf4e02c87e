"""The pace of a Client: one slot after another, taken by all processes from one row.

After an outage everything is due at once. The vendor meets no herd: each refresh takes the next slot, in the
transaction that leases its credential, and goes out when the slot comes.
"""

from datetime import timedelta

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from webapp.lib.database import db_time
from webapp.models import Pace


def reserve(session: Session, client_key: str, *, per_second: float, ahead: float) -> float | None:
    """Take the Client's next slot; the seconds until it comes, or None when that is more than `ahead`."""
    found = session.execute(_LOCK, {"client_key": client_key}).one_or_none()
    if found is None:
        _begin(session, client_key)
        found = session.execute(_LOCK, {"client_key": client_key}).one()
    next_at, now = found
    slot = max(next_at, now)
    wait: float = (slot - now).total_seconds()
    if wait > ahead:
        return None
    taken = {"of_client": client_key, "then": slot + timedelta(seconds=1.0 / per_second)}
    session.connection().execute(_MOVE, taken)
    return wait


# Built once: building them costs as much as asking.
_LOCK = select(Pace.next_at, db_time()).where(Pace.client_key == bindparam("client_key")).with_for_update()
_MOVE = update(Pace).where(Pace.client_key == bindparam("of_client")).values(next_at=bindparam("then"))


def _begin(session: Session, client_key: str) -> None:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    values = {"client_key": client_key, "next_at": db_time()}
    session.execute(dialect.insert(Pace).values(values).on_conflict_do_nothing())
