"""Totals since the beginning, for graphs: sums of counters that are kept anyway, never a count of events."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.core.queries.destinations import Ledger
from webapp.models import Destination, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Events accepted by all streams, and what became of them at the destinations of each kind."""

    accepted: int
    by_kind: Mapping[str, Ledger]


def read_totals(session: Session) -> Totals:
    """Two statements."""
    accepted = session.execute(select(func.coalesce(func.sum(Stream.head_seq), 0))).scalar_one()
    columns = (Destination.delivered, Destination.filtered, Destination.dead, Destination.expired)
    summed = (
        select(
            Destination.kind,
            func.sum(Stream.head_seq - Destination.origin_seq + Destination.rewound),
            *(func.sum(column) for column in columns),
            # Nothing waits at one that was closed, though its stream goes on.
            func.coalesce(
                func.sum(Stream.head_seq - Destination.cursor_seq).filter(Destination.closed_at.is_(None)), 0
            ),
        )
        .join(Stream, Stream.id == Destination.stream_id)
        .group_by(Destination.kind)
    )
    by_kind = {
        kind: Ledger(**dict(zip(_NAMES, map(int, numbers), strict=True)))
        for kind, *numbers in session.execute(summed)
    }
    return Totals(accepted=int(accepted), by_kind=by_kind)


_NAMES = ("accepted", "delivered", "filtered", "dead", "expired", "waiting")
