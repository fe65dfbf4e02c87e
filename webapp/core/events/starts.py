"""Starts and stops: a stop carries when its start was, if the start was seen.

Events have no index by type or subject, which would cost every accepted event; so a start is looked for in
the same request and among the last 2,000 events of the stream: one bounded read along the key, only for a
stop.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Connection, select

from webapp.core.events.drafts import Draft
from webapp.core.streams.rows import Head
from webapp.models import Event

LOOK_BACK = 2_000

#: type and subject: what a stop has in common with its start
_Span: TypeAlias = tuple[str, str | None]


class Starts:
    """The latest start of each span, stream by stream, as far as it was needed."""

    def __init__(self, connection: Connection, heads: Mapping[UUID, Head]) -> None:
        self._connection = connection
        self._heads = heads
        self._past: dict[UUID, dict[_Span, datetime]] = {}

    def body_of(self, draft: Draft, stream: UUID) -> bytes:
        """The envelope of a draft that is about to be stored; drafts come in the order of their seqs."""
        span = (draft.type, draft.subject)
        if draft.state == "start":
            self._seen(stream)[span] = draft.time
        if draft.state != "stop":
            return draft.body
        started = self._seen(stream).get(span)
        return draft.body if started is None or started > draft.time else draft.with_start(started)

    def _seen(self, stream: UUID) -> dict[_Span, datetime]:
        if stream not in self._past:
            self._past[stream] = self._read(stream)
        return self._past[stream]

    def _read(self, stream: UUID) -> dict[_Span, datetime]:
        head = self._heads[stream].seq
        query = (
            select(Event.type, Event.subject, Event.time)
            .where(Event.stream_id == stream, Event.seq > head - LOOK_BACK, Event.state == "start")
            .order_by(Event.seq)
        )
        return {(kind, subject): time for kind, subject, time in self._connection.execute(query)}
