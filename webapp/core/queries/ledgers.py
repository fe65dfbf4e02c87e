"""Ledgers that do not add up: a fault of ours, found by the counters alone.

Of each destination: head - origin + rewound = delivered + filtered + dead + expired + (head - cursor), and
dead = open + queued + replayed + discarded + superseded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from webapp.models import DeadLetter, DeadLetterState, Destination

_MOST = 100


@dataclass(frozen=True, slots=True)
class LedgerFault:
    """One destination, and what of it does not add up."""

    destination_id: UUID
    words: str


# The stream's head stands on both sides, so that its row need not be read.
_PASSED = Destination.cursor_seq - Destination.origin_seq + Destination.rewound
_SETTLED = Destination.delivered + Destination.filtered + Destination.dead + Destination.expired


def count_wrong(session: Session) -> int:
    """How many destinations do not settle what they passed: one look at the destinations."""
    wrong = select(func.count()).select_from(Destination).where(_PASSED != _SETTLED)
    return session.execute(wrong).scalar_one()


def find_wrong(session: Session) -> Iterator[LedgerFault]:
    """Each fault of either identity, a hundred of each at most: the dead letters are counted for it."""
    passed = select(Destination.id, _PASSED.label("passed"), _SETTLED.label("settled"))
    for row in session.execute(passed.where(_PASSED != _SETTLED).limit(_MOST)):
        yield LedgerFault(row.id, f"{row.passed:,} events were passed, {row.settled:,} are settled")
    is_queued = DeadLetter.state == DeadLetterState.QUEUED
    counted = (
        select(
            DeadLetter.destination_id,
            func.count().label("dead"),
            func.sum(case((is_queued, 1), else_=0)).label("queued"),
        )
        .group_by(DeadLetter.destination_id)
        .subquery()
    )
    dead, queued = func.coalesce(counted.c.dead, 0), func.coalesce(counted.c.queued, 0)
    letters = (
        select(
            Destination.id, Destination.dead, Destination.queued, dead.label("kept"), queued.label("waits")
        )
        .outerjoin(counted, counted.c.destination_id == Destination.id)
        .where((Destination.dead != dead) | (Destination.queued != queued))
    )
    for row in session.execute(letters.limit(_MOST)):
        yield LedgerFault(
            row.id,
            f"{row.dead:,} died and {row.queued:,} are to be replayed, there are {row.kept:,} dead letters "
            f"and {row.waits:,} to be replayed",
        )
