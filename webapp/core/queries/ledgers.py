"""Ledgers that do not add up: a fault of ours, found by the counters and by the dead letters' states.

Of each destination: head - origin + rewound = delivered + filtered + dead + expired + (head - cursor), and
dead = open + queued + replayed + discarded + superseded. Nothing here reads an event. The dead letters are
counted by their index: about 0.1 ms for each thousand that are kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.core.queries.paging import AnySelect
from webapp.models import DeadLetter, DeadLetterState, Destination

_MOST = 100


@dataclass(frozen=True, slots=True)
class LedgerFault:
    """One destination, and what of it does not add up."""

    destination_id: UUID
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """One destination's: how those that died divide, and whether both identities hold."""

    dead: Mapping[DeadLetterState, int]
    exact: bool


# The stream's head stands on both sides, so that its row need not be read.
_PASSED = Destination.cursor_seq - Destination.origin_seq + Destination.rewound
_SETTLED = Destination.delivered + Destination.filtered + Destination.dead + Destination.expired


def count_wrong(session: Session) -> int:
    """Of how many destinations either identity does not hold, in one statement."""
    wrong: int = session.execute(_wrong(func.count())).scalar_one()
    return wrong


def find_wrong(session: Session) -> Iterator[LedgerFault]:
    """Each fault of either identity, of a hundred destinations at most, in one statement."""
    columns = (Destination.id, _PASSED.label("passed"), _SETTLED.label("settled"))
    counters = (Destination.dead, Destination.queued, _KEPT.label("kept"), _WAITS.label("waits"))
    for row in session.execute(_wrong(*columns, *counters).limit(_MOST)):
        if row.passed != row.settled:
            yield LedgerFault(row.id, f"{row.passed:,} events were passed, {row.settled:,} are settled")
        if (row.dead, row.queued) != (row.kept, row.waits):
            yield LedgerFault(
                row.id,
                f"{row.dead:,} died and {row.queued:,} are to be replayed, there are {row.kept:,} dead "
                f"letters and {row.waits:,} to be replayed",
            )


def read_books(session: Session, destination_id: UUID) -> Books:
    """Those of one destination, in one statement: a settle between two would look like a fault."""
    divided = [func.count().filter(DeadLetter.state == state) for state in DeadLetterState]
    chosen = (
        select(_PASSED == _SETTLED, Destination.dead, Destination.queued, *divided)
        .outerjoin(DeadLetter, DeadLetter.destination_id == Destination.id)
        .where(Destination.id == destination_id)
        .group_by(Destination.id)
    )
    adds_up, dead, queued, *counts = session.execute(chosen).one()
    by_state = dict(zip(DeadLetterState, counts, strict=True))
    exact = bool(adds_up) and (dead, queued) == (sum(counts), by_state[DeadLetterState.QUEUED])
    return Books(dead={state: count for state, count in by_state.items() if count}, exact=exact)


_COUNTED = (
    select(
        DeadLetter.destination_id,
        func.count().label("kept"),
        func.count().filter(DeadLetter.state == DeadLetterState.QUEUED).label("waits"),
    )
    .group_by(DeadLetter.destination_id)
    .subquery()
)
_KEPT, _WAITS = func.coalesce(_COUNTED.c.kept, 0), func.coalesce(_COUNTED.c.waits, 0)


def _wrong(*columns: Any) -> AnySelect:
    return (
        select(*columns)
        .select_from(Destination)
        .outerjoin(_COUNTED, _COUNTED.c.destination_id == Destination.id)
        .where((_PASSED != _SETTLED) | (Destination.dead != _KEPT) | (Destination.queued != _WAITS))
    )
