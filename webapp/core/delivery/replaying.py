"""Replaying: dead letters that somebody queued, sent one by one before the stream is read on."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.core.delivery.holding import Holder
from webapp.core.delivery.policy import Step, Verdict, judge
from webapp.core.delivery.sending import Answer
from webapp.core.delivery.tally import success
from webapp.core.events import otlp
from webapp.core.events.fields import parse_time
from webapp.core.streams.settling import Next
from webapp.core.streams.shaping import Shape
from webapp.lib.database import db_time
from webapp.models import DeadLetter, DeadLetterState, Destination
from webapp.providers.receiving import OTLP_TYPES, OutgoingEvent

#: served before the stream has its turn
_MOST = 50


def replay(holder: Holder, shape: Shape, find_key: Callable[[Answer], None]) -> None:
    """Send what is queued, mapped as by now; `find_key` takes an answer that refuses the key.

    What fails for now stays. No age and no condition counts: somebody asked for these.
    """
    waiting = list(_queued(holder))
    late = False
    while waiting and holder.kept and not late:
        letter_id, event = waiting[0]
        shaped = shape.replayed(event)
        if shaped.fault is not None:
            _put_back(holder, letter_id, shaped.fault, {})
            waiting.pop(0)
            continue
        answer = holder.send([shaped.event])
        verdict = judge(
            answer, witnessed=True, failures=holder.lease.failures, batch_limit=None, batch_events=1
        )
        if answer.asked:
            run = answer.run(verdict.outcome)
            holder.tally.note(replace(run, words=run.words or "sent again from its dead letter"))
        match verdict.step:
            case Step.FIND_KEY:
                find_key(answer)
            case Step.WAIT:
                holder.wait(answer, holder.lease.batch_limit)
            case _:
                _settle(holder, letter_id, answer, verdict)
                waiting.pop(0)
        late = holder.is_late


def _queued(holder: Holder) -> Sequence[tuple[UUID, OutgoingEvent]]:
    query = (
        select(DeadLetter.id, DeadLetter.seq, DeadLetter.type, DeadLetter.body, DeadLetter.created_at)
        .where(
            DeadLetter.destination_id == holder.lease.destination_id,
            DeadLetter.state == DeadLetterState.QUEUED,
        )
        .order_by(DeadLetter.seq)
        .limit(_MOST)
    )
    with holder.runtime.database.read() as session:
        return [
            (row.id, _event(row.seq, row.type, row.body, row.created_at)) for row in session.execute(query)
        ]


def _event(seq: int, type_: str, body: bytes, died_at: datetime) -> OutgoingEvent:
    if type_.startswith(OTLP_TYPES):
        # Its records have times of their own.
        return OutgoingEvent(
            seq=seq, type=type_, source=otlp.SOURCE, subject=None, state=None, time=died_at, body=body
        )
    envelope = json.loads(body)
    time = parse_time(envelope["time"])
    assert time is not None  # noqa: S101 - we wrote it
    return OutgoingEvent(
        seq=seq,
        type=type_,
        source=envelope["source"],
        subject=envelope.get("subject"),
        state=envelope.get("state"),
        time=time,
        body=body,
    )


def _settle(holder: Holder, letter_id: UUID, answer: Answer, verdict: Verdict) -> None:
    taken = answer.asked and verdict.taken > 0
    reason = None if taken else verdict.dead.get(0) or "this destination finds nothing to send in it"
    _put_back(holder, letter_id, reason, success(holder.aim.witness) if taken else {})


def _put_back(holder: Holder, letter_id: UUID, reason: str | None, changes: Mapping[str, Any]) -> None:
    holder.settle(
        Next.GO_ON,
        changes,
        also=lambda session: _mark(session, holder, letter_id, reason),
        counts=False,
    )


def _mark(session: Session, holder: Holder, letter_id: UUID, reason: str | None) -> None:
    """Replayed, or open again with the new reason. One that was let go meanwhile stays so."""
    state = DeadLetterState.REPLAYED if reason is None else DeadLetterState.OPEN
    marked = (
        update(DeadLetter)
        .where(DeadLetter.id == letter_id, DeadLetter.state == DeadLetterState.QUEUED)
        .values(state=state, changed_at=db_time(), **({} if reason is None else {"reason": reason}))
    )
    count = session.connection().execute(marked).rowcount
    queued = (
        update(Destination)
        .where(Destination.id == holder.lease.destination_id)
        .values(queued=Destination.queued - count)
    )
    session.connection().execute(queued)
