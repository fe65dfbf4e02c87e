"""Evidence: what the vendors really took, and what our own rows say, destination by destination."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.faults.checker import Ledger, Reached
from tests.faults.liar import Lie, ids_of
from webapp.core import audit_chain
from webapp.core.runtime import Runtime
from webapp.models import (
    Attempt,
    AttemptOutcome,
    AuditLine,
    Credential,
    DeadLetter,
    Destination,
    Stream,
)
from webapp.providers.registry import KINDS
from webapp.sandbox import Sandbox

#: What a one-event vendor may have taken since the last settle (data.md: every 50 requests).
_UNSETTLED = 50
#: Where each vendor takes what is forwarded.
ENDPOINTS = {"baselime": "events", "last9": "change_events", "librato": "annotations"}


@dataclass(frozen=True, slots=True)
class Aim:
    """A destination as the campaign made it."""

    id: UUID
    user: str
    vendor: str
    #: how the sandbox names the account
    account: str
    wants: str = ""

    @property
    def name(self) -> str:
        """For a person."""
        return f"{self.user} → {self.vendor}"


def gather(
    runtime: Runtime, sandbox: Sandbox, aims: Sequence[Aim], lies: Mapping[str, Sequence[Lie]]
) -> list[Reached]:
    """Everything, as it is now; `lies` by vendor."""
    with runtime.database.read() as session:
        return [_reached(session, sandbox, aim, lies.get(aim.vendor, ())) for aim in aims]


def arrivals(sandbox: Sandbox, aim: Aim) -> list[str]:
    """Our ids of what the vendor took for this destination, in order."""
    receipts = sandbox.world.desk.recorder.received(aim.vendor, aim.account)
    endpoint = ENDPOINTS[aim.vendor]
    return [ids_of(aim.vendor, one.event) for one in receipts if one.endpoint == endpoint]


def rest_of(runtime: Runtime) -> list[str]:
    """What is wrong beside the destinations: the audit's chain, a credential's lease."""
    faults = []
    verdict = audit_chain.verify(runtime)
    if verdict.fault:
        faults.append(f"the audit's chain: {verdict.fault}")
    if verdict.unsealed:
        faults.append(f"{verdict.unsealed} audit lines are not sealed")
    with runtime.database.read() as session:
        if not session.scalar(select(func.count()).select_from(AuditLine)):
            faults.append("nothing was audited")
        leased = select(func.count()).where(Credential.lease.is_not(None))
        if count := session.scalar(leased):
            faults.append(f"{count} credentials are leased")
    return faults


def _reached(session: Session, sandbox: Sandbox, aim: Aim, lies: Sequence[Lie]) -> Reached:
    row = session.get_one(Destination, aim.id)
    head = session.get_one(Stream, row.stream_id).head_seq
    arrived = arrivals(sandbox, aim)
    told = [lie for lie in lies if set(lie.ids) & set(arrived)]
    requests, events = _lost(session, row)
    return Reached(
        name=aim.name,
        user=aim.user,
        arrived=arrived,
        ledger=_ledger(row, head),
        dead=_dead(session, row),
        wants=aim.wants,
        lost_answers=requests + len(told),
        lost_events=events + sum(len(lie.ids) for lie in told),
        passed_over={event_id for lie in told for event_id in lie.passed_over},
        leased=row.lease_token is not None,
        due=row.due_at is not None,
    )


def _ledger(row: Destination, head: int) -> Ledger:
    return Ledger(
        head=head,
        origin=row.origin_seq,
        cursor=row.cursor_seq,
        rewound=row.rewound,
        delivered=row.delivered,
        filtered=row.filtered,
        dead=row.dead,
        expired=row.expired,
    )


def _dead(session: Session, row: Destination) -> list[str]:
    """The ids of its dead letters: the envelope's own, in the body that is kept."""
    found = session.scalars(select(DeadLetter.body).where(DeadLetter.destination_id == row.id))
    return [str(json.loads(body)["id"]) for body in found]


def _lost(session: Session, row: Destination) -> tuple[int, int]:
    """Requests whose answer was lost, by the attempts on record, and the events they carried at most."""
    lost = (AttemptOutcome.INTERRUPTED, AttemptOutcome.POSSIBLY_DELIVERED)
    query = select(Attempt.outcome, func.sum(Attempt.requests), func.sum(Attempt.events)).where(
        Attempt.destination_id == row.id, Attempt.outcome.in_(lost)
    )
    requests = events = 0
    for outcome, asked, carried in session.execute(query.group_by(Attempt.outcome)):
        interrupted = outcome is AttemptOutcome.INTERRUPTED
        requests += asked * repeats_of(row.kind) if interrupted else asked
        events += asked * _in_flight(row.kind) if interrupted else carried
    return requests, events


def repeats_of(kind: str) -> int:
    """How often a run of events may come again when one holder goes away.

    A batch comes again once. A one-event vendor took what the holder had not settled, and gets that again
    from who takes over; and when the holder was only frozen, the one that it had under way comes again, too.
    """
    return 1 if KINDS[kind].batch_events > 1 else 2


def _in_flight(kind: str) -> int:
    """The most that is unsettled when a holder goes away: a batch, or what a one-event vendor took since."""
    most = KINDS[kind].batch_events
    return most if most > 1 else _UNSETTLED
