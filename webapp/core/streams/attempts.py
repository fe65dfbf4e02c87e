"""Attempts: consecutive requests with one outcome become one row."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from webapp.lib import clock
from webapp.models import Attempt, AttemptOutcome

_WORDS_CHARACTERS = 300
#: nothing here has to be looked into
_QUIET = (AttemptOutcome.DELIVERED, AttemptOutcome.EXPIRED)
#: A good run ends after this long, so that a timeline of them keeps its hours.
_LONGEST_GOOD_RUN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One request or several in a row, as an Attempt records them."""

    first_seq: int
    last_seq: int
    events: int
    requests: int = 1
    outcome: AttemptOutcome
    status: int | None = None
    milliseconds: int = 0
    words: str = ""
    started_at: datetime
    ended_at: datetime

    @property
    def lone(self) -> bool:
        """Whether it was about one event only."""
        return self.first_seq == self.last_seq

    def continues(self, other: "Run") -> bool:
        """Whether this run is the same story as the `other` before it: same outcome and status.

        A failing event that is sent alone keeps a run of its own: how often it failed alone is read from
        there.
        """
        if (self.outcome, self.status) != (other.outcome, other.status):
            return False
        if self.outcome in _QUIET:
            return self.words == other.words and self.ended_at - other.started_at <= _LONGEST_GOOD_RUN
        return self.lone == other.lone and self.first_seq == other.first_seq


def expiry(seqs: Sequence[int], words: str) -> Run:
    """That events were given up, as a run without a request; `words` say why."""
    now = clock.now()
    return Run(
        first_seq=seqs[0],
        last_seq=seqs[-1],
        events=len(seqs),
        requests=0,
        outcome=AttemptOutcome.EXPIRED,
        words=words,
        started_at=now,
        ended_at=now,
    )


def record(session: Session, destination_id: UUID, runs: Sequence[Run]) -> None:
    """Write `runs`, the first into the last row if it continues it. The caller locks the destination."""
    if not runs:
        return
    merged = merge(runs)
    last = latest(session, destination_id)
    if last is not None and merged[0].continues(last[1]):
        values = _values(joined([last[1], merged.pop(0)]))
        session.connection().execute(update(Attempt).where(Attempt.id == last[0]).values(values))
    if merged:
        session.connection().execute(
            insert(Attempt), [_values(run) | {"destination_id": destination_id} for run in merged]
        )


def merge(runs: Sequence[Run]) -> list[Run]:
    """The same runs, neighbours that tell one story joined."""
    stories = [[runs[0]]]
    for run in runs[1:]:
        if run.continues(stories[-1][0]):
            stories[-1].append(run)
        else:
            stories.append([run])
    return [joined(story) for story in stories]


def joined(story: Sequence[Run]) -> Run:
    """Runs that tell one story, as one."""
    return replace(
        story[-1],
        first_seq=min(run.first_seq for run in story),
        last_seq=max(run.last_seq for run in story),
        events=sum(run.events for run in story),
        requests=sum(run.requests for run in story),
        milliseconds=sum(run.milliseconds for run in story),
        started_at=story[0].started_at,
    )


def latest(session: Session, destination_id: UUID) -> tuple[int, Run] | None:
    """The last row of a destination: its id, and the run it records."""
    query = (
        select(Attempt.__table__)
        .where(Attempt.destination_id == destination_id)
        .order_by(Attempt.id.desc())
        .limit(1)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        return None
    known = {field.name: getattr(row, field.name) for field in fields(Run)}
    return row.id, Run(**known | {"words": row.words or ""})


def _values(run: Run) -> dict[str, object]:
    return {
        "first_seq": run.first_seq,
        "last_seq": run.last_seq,
        "events": run.events,
        "requests": run.requests,
        "outcome": run.outcome,
        "status": run.status,
        "milliseconds": run.milliseconds,
        "words": run.words[:_WORDS_CHARACTERS] or None,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
    }
