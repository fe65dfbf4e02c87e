"""Telling people what delivery found: on the connection, on its timeline, and to whom it concerns."""

from sqlalchemy.orm import Session

from webapp.core import connections, notices
from webapp.core.audit import HITCHPOST, Act, record
from webapp.core.destinations.rows import connection_of
from webapp.core.streams.leases import Lease
from webapp.models import Hold

_TODO = {
    Hold.KEY_REFUSED: "Reconnect, or check the key at the vendor; then release the destination.",
    Hold.FAILING: "Check its settings and the vendor's state; then release the destination.",
}
_OURS = "The fault is on this side: ask an admin to look into the log; then release the destination."


def held(session: Session, lease: Lease, hold: Hold, reason: str, *, ours: bool = False) -> None:
    """A destination stands still: its connection is degraded, and its owner told once a hold.

    `ours`: it is this instance that fails, and not the vendor.
    """
    connection = connection_of(session, lease.environment_id)
    of_vendor = hold is Hold.FAILING and not ours
    connections.degrade(session, connection.id, f"{lease.kind} stands still: {reason}", of_vendor=of_vendor)
    todo = _OURS if ours else _TODO.get(hold, "")
    thing = f"destination:{lease.destination_id}"
    detail = f"{lease.kind} held, {hold.value}: {reason}"
    record(session, HITCHPOST, Act.DESTINATION_HELD, thing, connection_id=connection.id, detail=detail)
    notices.tell(
        session,
        dedupe_key=f"held:{lease.lease_token}",
        kind=f"destination.{hold.value}",
        text=f"{connection.label}: {lease.kind} stands still. {reason} "
        f"Nothing is lost: its events wait here, for 30 days at least. {todo}".strip(),
        user_id=connection.user_id,
        connection_id=connection.id,
    )


def troubled(session: Session, lease: Lease, words: str, *, of_vendor: bool = True) -> None:
    """A destination fails and goes on trying: its connection is degraded."""
    connection = connection_of(session, lease.environment_id)
    connections.degrade(
        session, connection.id, f"{lease.kind} does not get through: {words}", of_vendor=of_vendor
    )


def gap(session: Session, lease: Lease, words: str) -> None:
    """Events are missing: whoever runs this instance must know."""
    connection = connection_of(session, lease.environment_id)
    connections.degrade(session, connection.id, "Its stream has a gap, so nothing is sent: ask an admin.")
    notices.tell(
        session,
        dedupe_key=f"gap:{lease.destination_id}:{lease.cursor_seq}",
        kind="stream.gap",
        text=f"A stream has a gap: {words}. Was the database restored or edited? Nothing is passed over; "
        "the destination waits. Rewind it behind the gap, or restore what is missing.",
        connection_id=connection.id,
    )
