"""Breakers: they stop calls that would all fail alike, in every process at once.

A breaker is charged with failures, and that alone stops nothing. Once it is tripped nobody calls before
`open_until`, and after that one probe at a time does, until `close`. Who is charged, when it trips and what
waits for it is the scope's own: a Client's is in core.refresh, a vendor host's in core.delivery.
"""

from sqlalchemy import ColumnElement, Select, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from webapp.lib.database import db_time
from webapp.models import Breaker

#: A probe that never comes back frees its place after this long.
PROBE_SECONDS = 60.0
_WORDS_CHARACTERS = 300


def stopped(scope: str) -> Select[str]:
    """The keys that are not to be called now, for use inside another statement."""
    return select(Breaker.key).where(Breaker.scope == scope, Breaker.open_until > db_time())


def is_tripped() -> ColumnElement[bool]:
    """Of a row: that it stops calls, or lets probes through one at a time."""
    return Breaker.open_until > Breaker.since


def enter(session: Session, scope: str, key: str, *, seconds: float = PROBE_SECONDS) -> bool:
    """Whether a call may go out now. Once a breaker has tripped, that is one probe in `seconds`."""
    standing = session.get(Breaker, (scope, key))
    if standing is None or standing.open_until <= standing.since:
        return True  # never tripped, at most charged
    probe = session.execute(
        update(Breaker)
        .where(_is(scope, key), Breaker.open_until <= db_time())
        .values(open_until=db_time(seconds))
        .returning(Breaker.key)
        .execution_options(synchronize_session=False)
    )
    return probe.one_or_none() is not None


def charge(session: Session, scope: str, key: str, incident: str) -> Breaker:
    """Note one more failure in a row. Nothing stops by that; the row is locked."""
    now = session.execute(select(db_time())).scalar_one()
    # Two may be the first at once: the key decides, and both are counted.
    insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
    first = {"scope": scope, "key": key, "open_until": now, "since": now, "failures": 0}
    session.execute(insert(Breaker).values(first).on_conflict_do_nothing())
    breaker = session.get_one(Breaker, (scope, key), with_for_update=True, populate_existing=True)
    breaker.incident = incident[:_WORDS_CHARACTERS]
    breaker.failures += 1
    session.flush()
    return breaker


def stop(session: Session, scope: str, key: str, *, seconds: float) -> None:
    """Stop all calls for so long; then comes the next probe."""
    session.execute(
        update(Breaker)
        .where(_is(scope, key))
        .values(open_until=db_time(seconds))
        .execution_options(synchronize_session=False)
    )


def ease(session: Session, scope: str, key: str) -> None:
    """Calls go out again; what it was charged with is not forgotten yet."""
    session.execute(
        update(Breaker)
        .where(_is(scope, key))
        .values(open_until=Breaker.since)
        .execution_options(synchronize_session=False)
    )


def close(session: Session, scope: str, key: str) -> bool:
    """Forget every failure: calls go out again. Whether there was any."""
    closed = session.execute(
        delete(Breaker)
        .where(_is(scope, key))
        .returning(Breaker.key)
        .execution_options(synchronize_session=False)
    )
    return closed.one_or_none() is not None


def _is(scope: str, key: str) -> ColumnElement[bool]:
    return (Breaker.scope == scope) & (Breaker.key == key)
