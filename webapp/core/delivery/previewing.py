"""Previewing: the request that settings would make, by the steps that a turn takes. Nothing is sent or kept.

No key is opened for it: the encoder is given `***` in its place.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core.delivery.aiming import Aimed, NoAim, sketch
from webapp.core.destinations.settings import check
from webapp.core.events.drafts import MAX_EVENT_BYTES, draft
from webapp.core.events.showing import readable
from webapp.core.runtime import Runtime
from webapp.core.streams.filters import both
from webapp.core.streams.pages import events_of
from webapp.core.streams.shaping import Shape, Shaped, shape_of
from webapp.errors import Conflict
from webapp.lib import clock
from webapp.lib.http import Request
from webapp.models import Stream
from webapp.providers.receiving import DestinationKind, OutgoingEvent, Receives, Target

#: How many of the latest events are looked through for one that would be sent.
LOOKED_AT = 20
_SAMPLE = {"environment": "production", "version": "1.4.2", "service": "checkout", "duration": 42}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A request as it would go out, its secrets `***`."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    #: as text; a body in protobuf as the JSON that OTLP has for it
    body: str
    #: as it is sent, but for compression
    body_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would become of a user's latest events, and the request of the newest that would be sent."""

    request: Shown | None
    #: why there is no request
    reason: str | None
    #: the event it is made from, as its public id; None: no event is kept, so a sample stands in
    event_id: str | None
    type: str | None
    looked_at: int
    wanted: int


@dataclass(frozen=True, slots=True)
class _Wish:
    environment_id: UUID
    kind: str
    settings: dict[str, Any]
    settings_version: int = 0


def preview(runtime: Runtime, environment_id: UUID, kind_name: str, settings: Mapping[str, Any]) -> Preview:
    """What a destination of that kind would send there with these settings. Age is left out of it.

    Raises NotFound, Invalid (a Fault per setting), Conflict when this instance sends nothing there.
    """
    wish: Aimed = _Wish(environment_id, kind_name, dict(settings))
    try:
        provider, kind, target, user_id = sketch(runtime, wish)
    except NoAim as error:
        raise Conflict(f"There is nothing to preview: {error}.") from None
    checked = check(kind, settings)
    shape = shape_of(checked, 0, most_bytes=MAX_EVENT_BYTES)
    with runtime.database.read() as session:
        stream_id, latest = _latest(session, user_id)
    events = latest or _sample(kind)
    shaped = [(event, _shaped(event, kind, shape)) for event in events]
    wanted = [(event, one) for event, one in shaped if isinstance(one, Shaped)]
    reasons = [one for _, one in shaped if isinstance(one, str)]
    first = wanted[0][1] if wanted else None
    request, reason = _request(provider, replace(target, settings=checked), first)
    seen = wanted[0][0] if wanted else None
    return Preview(
        request=request,
        reason=reason or (None if first else next(iter(reasons), "there is no event yet")),
        event_id=f"{stream_id.hex}-{seen.seq}" if stream_id and seen and latest else None,
        type=seen.type if seen else None,
        looked_at=len(latest),
        wanted=len(wanted) if latest else 0,
    )


def _latest(session: Session, user_id: UUID) -> tuple[UUID | None, Sequence[OutgoingEvent]]:
    """The newest first."""
    found = session.execute(
        select(Stream.id, Stream.head_seq, Stream.tail_seq).where(Stream.user_id == user_id)
    )
    row = found.one_or_none()
    if row is None:
        return None, ()
    seqs = range(max(row.tail_seq, row.head_seq - LOOKED_AT + 1), row.head_seq + 1)
    return row.id, events_of(session, row.id, seqs)[::-1]


def _sample(kind: DestinationKind) -> Sequence[OutgoingEvent]:
    if kind.otlp_signal:
        return ()
    now = clock.now()
    made = draft(
        _SAMPLE,
        "",
        id="sample",
        source="hitchpost",
        type="deployment",
        subject="checkout",
        state=None,
        time=now,
        user=None,
        data=_SAMPLE,
    )
    event = OutgoingEvent(
        seq=1,
        type=made.type,
        source=made.source,
        subject=made.subject,
        state=made.state,
        time=made.time,
        body=made.body,
    )
    return (event,)


def _shaped(event: OutgoingEvent, kind: DestinationKind, shape: Shape) -> Shaped | str:
    """The event as it is to be sent; or why the destination does not want it."""
    if not kind.carries(event.type):
        return f"{event.type} is nothing that a destination of this kind takes"
    if not both(kind.carries, shape.wants)(event.type):
        return f"no pattern takes the type {event.type}"
    shaped = shape.of(event)
    return shaped if shaped.unmet is None else f"wanted only where {shaped.unmet.text}"


def _request(provider: Receives, target: Target, shaped: Shaped | None) -> tuple[Shown | None, str | None]:
    if shaped is None or shaped.fault:
        return None, shaped.fault if shaped else None
    encoded = provider.encode([shaped.event], target)
    if encoded.request is None:
        return None, "this destination finds nothing to send in it"
    return _show(encoded.request, shaped.event), None


def _show(request: Request, event: OutgoingEvent) -> Shown:
    media_type = request.headers.get("content-type", "").partition(";")[0]
    is_text = media_type == "application/json" or media_type.endswith("+json")
    body = request.body if is_text else event.body
    return Shown(
        method=request.method,
        url=request.url,
        headers=tuple(_masked(request.headers)),
        body=body.decode() if is_text else readable(event.type, body),
        body_bytes=len(body),
    )


def _masked(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        # HTTP Basic hides what it is made of, so that nobody would see the *** in it.
        yield name, "Basic ***" if value.startswith("Basic ") else value
