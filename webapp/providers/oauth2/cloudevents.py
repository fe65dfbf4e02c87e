"""CloudEvents 1.0 in batches, sent with the connection's access token (RFC 6750 §2.1). Pure.

One request is a JSON array of events (CloudEvents spec v1.0.2, JSON format §4; HTTP binding §3.3). What the
stored envelope has beyond the specification's attributes goes out as extensions: `state`, `startedat`.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from webapp.lib.http import Request, Response
from webapp.providers.answers import is_page, retry_after, setback_of, words_of
from webapp.providers.choosing import CHOOSING
from webapp.providers.receiving import DestinationKind, Encoded, OutgoingEvent, Reading, Target

_SUFFIX = ".cloudevents"
_BATCH_BYTES, _BATCH_EVENTS = 1_000_000, 100
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def kind_of(vendor: str) -> DestinationKind:
    """The one kind that such a vendor has."""
    return DestinationKind(
        name=f"{vendor}{_SUFFIX}",
        title="CloudEvents",
        credential_kind="grant",
        settings=CHOOSING,
        batch_bytes=_BATCH_BYTES,
        batch_events=_BATCH_EVENTS,
    )


def kind_named(name: str) -> DestinationKind | None:
    """The kind of that name, whichever vendor it is of; None when it is no such name."""
    vendor, suffix = name.removesuffix(_SUFFIX), name.endswith(_SUFFIX)
    return kind_of(vendor) if suffix and vendor.isidentifier() else None


def encode(events_url: str, events: Sequence[OutgoingEvent], target: Target) -> Encoded:
    """A request for a non-empty prefix of `events`."""
    written: list[bytes] = []
    size = 2
    for event in events[:_BATCH_EVENTS]:
        one = _COMPACT.encode(dict(_attributes(event))).encode()
        size += len(one) + 1
        if written and size > _BATCH_BYTES:
            break
        written.append(one)
    request = Request(
        method="POST",
        url=events_url,
        headers={
            "authorization": f"Bearer {target.secrets['access_token'].reveal()}",
            "content-type": "application/cloudevents-batch+json; charset=utf-8",
        },
        body=b"[" + b",".join(written) + b"]",
    )
    return Encoded(request=request, count=len(written))


def read(response: Response, events: Sequence[OutgoingEvent], target: Target) -> Reading:
    """Any 2xx that is no web page took them all; RFC 6750 §3.1 says what 401 and 403 mean."""
    if 200 <= response.status < 300 and not is_page(response):
        return Reading(settled=len(events))
    return Reading(
        settled=0,
        setback=setback_of(response),
        words=words_of(response, tuple(target.secrets.values())),
        retry_after=retry_after(response.headers),
    )


def _attributes(event: OutgoingEvent) -> Iterator[tuple[str, Any]]:
    envelope: dict[str, Any] = json.loads(event.body)
    kept = envelope.get("attributes") or {}
    yield from kept.items()  # first: what a mapping may have put there never says what the event is
    yield "specversion", "1.0"
    for name in ("id", "source", "type", "subject", "time", "state"):
        if envelope.get(name):
            yield name, envelope[name]
    if envelope.get("started_at"):
        yield "startedat", envelope["started_at"]
    data = envelope.get("data")
    if isinstance(data, dict) and data.keys() == {"base64"}:
        yield "data_base64", data["base64"]
    elif data is not None:
        if "datacontenttype" not in kept:
            yield "datacontenttype", "application/json"
        yield "data", data["value"] if isinstance(data, dict) and data.keys() == {"value"} else data
