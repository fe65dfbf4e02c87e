"""Settling: moving a cursor, with all that is true because of it, in one transaction under the lease."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from sqlalchemy import Row, case, func, insert, literal, null, select, update
from sqlalchemy.orm import Session

from webapp.core.streams import attempts, rows
from webapp.core.streams.leases import LEASE_SECONDS, Lease, unless_held
from webapp.errors import Fenced
from webapp.lib.database import db_time
from webapp.lib.ids import uuid7
from webapp.models import DeadLetter, Destination, Hold, Stream
from webapp.providers.receiving import OutgoingEvent


class Next(Enum):
    """What its holder does with a lease after a settle."""

    #: keep it and go on
    GO_ON = auto()
    #: give it back if nothing waits any more, else keep it
    REST = auto()
    #: give it back, due at once: others have their turn
    YIELD = auto()
    #: give it back, due in a while
    WAIT = auto()
    #: give it back and stand still
    STOP = auto()


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event that is parked as a dead letter, as it is stored; why, and what shows that it is to blame."""

    event: OutgoingEvent
    reason: str
    witness: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of the events behind the cursor up to `to_seq`, and what comes next.

    `to_seq − cursor = delivered + filtered + len(dead) + expired`, or the ledger would lie: checked here.
    """

    to_seq: int
    delivered: int = 0
    filtered: int = 0
    expired: int = 0
    dead: Sequence[Rejection] = ()
    runs: Sequence[attempts.Run] = ()
    next: Next = Next.GO_ON
    #: what changes in the row beside the ledger: failures, reason, batch_limit, witness, unsure …
    changes: dict[str, Any] = field(default_factory=dict)
    #: seconds, with Next.WAIT
    wait: float = 0.0
    #: with Next.STOP
    hold: Hold | None = None


def settle(session: Session, lease: Lease, settlement: Settlement) -> Row[Any]:
    """Write it; the row is for `Lease.follow`. Raises Fenced when somebody else holds the destination now.

    A hold that came meanwhile stays: what was done is settled all the same, and the lease ends.
    """
    _check(lease, settlement)
    now = settlement.next
    if now is Next.REST:
        now = _rest_or_go_on(session, lease, settlement.to_seq)
    row = session.connection().execute(_move(lease, settlement, now)).one_or_none()
    if row is None:
        raise Fenced
    _bury(session, lease, settlement.dead)
    attempts.record(session, lease.destination_id, settlement.runs)
    return row


def _check(lease: Lease, settlement: Settlement) -> None:
    moved = settlement.to_seq - lease.cursor_seq
    counted = settlement.delivered + settlement.filtered + settlement.expired + len(settlement.dead)
    if moved != counted:
        message = f"{moved} events were passed and {counted} accounted for"
        raise AssertionError(message)


def _rest_or_go_on(session: Session, lease: Lease, to_seq: int) -> Next:
    """Rest only if the head is reached, read under the stream's lock: or an event might wake nobody."""
    head = session.execute(select(Stream.head_seq).where(Stream.id == lease.stream_id)).scalar_one()
    if head > to_seq:
        return Next.GO_ON
    return (
        Next.REST
        if rows.lock(session.connection(), [lease.stream_id])[lease.stream_id].seq <= to_seq
        else Next.GO_ON
    )


def _move(lease: Lease, settlement: Settlement, now: Next) -> Any:
    values: dict[str, Any] = {
        "cursor_seq": settlement.to_seq,
        "delivered": Destination.delivered + settlement.delivered,
        "filtered": Destination.filtered + settlement.filtered,
        "dead": Destination.dead + len(settlement.dead),
        "expired": Destination.expired + settlement.expired,
        **_clock(lease, settlement, now),
        **settlement.changes,
    }
    return (
        update(Destination)
        .where(
            Destination.id == lease.destination_id,
            Destination.lease_token == lease.lease_token,
            Destination.cursor_seq == lease.cursor_seq,
        )
        .values(values)
        .returning(Destination.__table__)
    )


def _clock(lease: Lease, settlement: Settlement, now: Next) -> dict[str, Any]:
    match now:
        case Next.GO_ON:
            # A hold that came meanwhile ends the lease here.
            kept = case((Destination.hold.is_(None), lease.lease_token), else_=null())
            return {"due_at": unless_held(db_time(LEASE_SECONDS)), "lease_token": kept}
        case Next.REST:
            due = case((Destination.queued > 0, db_time()), else_=null())
            return {"due_at": unless_held(due), "lease_token": None}
        case Next.YIELD:
            return {"due_at": unless_held(db_time()), "lease_token": None}
        case Next.WAIT:
            # New settings deserve a try at once.
            same = Destination.settings_version == lease.settings_version
            due = case((same, db_time(settlement.wait)), else_=db_time())
            return {"due_at": unless_held(due), "lease_token": None}
        case Next.STOP:
            hold = func.coalesce(Destination.hold, literal(settlement.hold, Destination.hold.type))
            return {
                "due_at": None,
                "lease_token": None,
                "hold": hold,
                "held_at": func.coalesce(Destination.held_at, db_time()),
            }


def _bury(session: Session, lease: Lease, dead: Sequence[Rejection]) -> None:
    if not dead:
        return
    letters = [
        {
            "id": uuid7(),
            "destination_id": lease.destination_id,
            "seq": rejection.event.seq,
            "type": rejection.event.type,
            "body": rejection.event.body,
            "reason": rejection.reason,
            "witness": rejection.witness,
        }
        for rejection in dead
    ]
    session.connection().execute(insert(DeadLetter), letters)
