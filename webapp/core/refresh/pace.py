"""The pace of a Client: one slot after another, taken by all processes from one row.

After an outage everything is due at once. The vendor meets no herd: each refresh takes the next slot, in the
transaction that leases its credential, and goes out when the slot comes.
"""

from typing import Any

from sqlalchemy import BindParameter, Executable, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from webapp.lib.database import db_time, db_time_after
from webapp.models import Pace


def reserve(session: Session, client_key: str, *, per_second: float, ahead: float) -> float | None:
    """Take the Client's next slot; the seconds until it comes, or None when that is more than `ahead`."""
    step = 1.0 / per_second
    asked = {"client_key": client_key, "step": step, "ahead": ahead}
    taken = session.connection().execute(_TAKE[session.get_bind().dialect.name], asked).one_or_none()
    if taken is None:
        return None
    next_at, now = taken
    wait: float = max(0.0, (next_at - now).total_seconds() - step)
    return wait


def _take(insert: Any) -> Executable:
    """Move the Client's row on by a step, unless its slot is too far off; the first one makes it."""
    step: BindParameter[float] = bindparam("step")
    first = insert(Pace).values(client_key=bindparam("client_key"), next_at=db_time(step))
    moved: Executable = first.on_conflict_do_update(
        index_elements=[Pace.client_key],
        set_={"next_at": db_time_after(Pace.next_at, step)},
        where=Pace.next_at <= db_time(bindparam("ahead")),
    ).returning(Pace.next_at, db_time())
    return moved


# Built once: building them costs as much as asking.
_TAKE = {"postgresql": _take(postgresql.insert), "sqlite": _take(sqlite.insert)}
