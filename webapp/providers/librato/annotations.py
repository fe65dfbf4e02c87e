"""Annotations: one POST with everything in it, since a Record Only token can add nothing afterwards.

Librato docs, Annotations: title is required; times are Unix seconds; a link's `rel` is unique in its
annotation. A link carries our event's identity: after a lost answer the stream is read in that moment's
window and looked through for it, so that sending again makes no twin.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from webapp.errors import Invalid
from webapp.lib import strict_json
from webapp.lib.http import ANSWER_BYTES, Request, Response
from webapp.providers.choosing import CHOOSING
from webapp.providers.forms import FieldKind, FormField
from webapp.providers.librato.api import headers
from webapp.providers.receiving import DestinationKind, Encoded, OutgoingEvent, Target

_NAME_CHARACTERS = 255
_TITLE_CHARACTERS = 255
_DESCRIPTION_CHARACTERS = 2_000
_UNNAMED = re.compile(r"[^A-Za-z0-9.:_-]+")
_PLACE = re.compile(r"\{(type|source|subject|state)\}")
#: The `rel` of the link that carries our event's id.
OUR_REL = "hitchpost"

KIND = DestinationKind(
    name="librato.annotations",
    title="Annotations",
    credential_kind="api_token",
    batch_bytes=1_000_000,
    batch_events=1,
    settings=(
        *CHOOSING,
        FormField(
            name="stream",
            label="Annotation stream",
            default="{type}",
            max_length=200,
            help="May hold {type}, {source}, {subject} and {state}; what is not a letter, a digit or one of "
            ".:_- becomes -.",
        ),
        FormField(
            name="title",
            label="Title",
            required=False,
            default="{type} {subject} {state}",
            max_length=200,
            help="May hold the same; an event's own data.title goes before it.",
        ),
        FormField(
            name="event_url",
            label="Address of an event",
            kind=FieldKind.URL,
            required=False,
            default="",
            max_length=300,
            help="Where an annotation's link leads; ?source=…&id=… is put at its end. Empty: this Hitchpost.",
        ),
    ),
)


def encode(event: OutgoingEvent, target: Target, base: str, event_base: str) -> Encoded:
    """The POST that makes the annotation. `event_base` is the page that finds an event."""
    envelope: dict[str, Any] = json.loads(event.body)
    data = envelope.get("data")
    data = data if isinstance(data, dict) else {}
    started = envelope.get("started_at")
    body: dict[str, Any] = {
        "title": _title(event, data, target.settings),
        "description": _description(envelope, data),
        "source": _clean(str(data.get("host") or event.source)),
        "start_time": _seconds(datetime.fromisoformat(started)) if started else _seconds(event.time),
        "links": list(_links(envelope, data, _event_base(target, event_base))),
    }
    if started or event.state == "stop":
        body["end_time"] = _seconds(event.time)
    request = Request(
        method="POST",
        url=f"{base}/v1/annotations/{quote(_stream(event, target.settings), safe='')}",
        headers=headers(target.account_key, target.secrets["api_token"]),
        body=json.dumps(body, ensure_ascii=False).encode(),
    )
    return Encoded(request=request, count=1)


def recheck(event: OutgoingEvent, target: Target, base: str) -> Request:
    """The stream in the seconds around the annotation's start, which is what the vendor filters on."""
    started = json.loads(event.body).get("started_at")
    start = _seconds(datetime.fromisoformat(started)) if started else _seconds(event.time)
    window = urlencode({"start_time": start - 1, "end_time": start + 1})
    return Request(
        method="GET",
        url=f"{base}/v1/annotations/{quote(_stream(event, target.settings), safe='')}?{window}",
        headers=headers(target.account_key, target.secrets["api_token"]),
    )


def already_taken(response: Response, event: OutgoingEvent, target: Target, event_base: str) -> int | None:
    """1 when an annotation there carries our link, 0 when none does or the stream is unknown, else None."""
    if response.status == 404:
        return 0
    if response.status != 200:
        return None
    try:
        body = strict_json.loads(response.body, max_bytes=ANSWER_BYTES)
    except Invalid:
        return None
    if not isinstance(body, dict):
        return None
    ours = _address(_event_base(target, event_base), json.loads(event.body))
    return int(any(link.get("href") == ours for link in _found_links(body.get("events"))))


def _found_links(events: strict_json.Json) -> Iterator[dict[str, Any]]:
    """Links of annotations by source; the docs show a list of one object, the service sends the object."""
    groups = events if isinstance(events, list) else [events]
    for group in groups:
        for found in group.values() if isinstance(group, dict) else ():
            for annotation in _list(found):
                links = annotation.get("links") if isinstance(annotation, dict) else None
                yield from (link for link in _list(links) if isinstance(link, dict))


def _list(value: strict_json.Json) -> list[strict_json.Json]:
    return value if isinstance(value, list) else []


def _stream(event: OutgoingEvent, settings: Mapping[str, Any]) -> str:
    return _clean(_fill(str(settings.get("stream") or "{type}"), event)) or "events"


def _title(event: OutgoingEvent, data: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    own = data.get("title")
    title = (
        own if isinstance(own, str) and own.strip() else _fill(str(settings.get("title") or "{type}"), event)
    )
    return " ".join(title.split())[:_TITLE_CHARACTERS] or event.type[:_TITLE_CHARACTERS]


def _description(envelope: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    own = data.get("description") or data.get("message")
    said = own if isinstance(own, str) else json.dumps(envelope.get("data") or {}, ensure_ascii=False)
    return said[:_DESCRIPTION_CHARACTERS]


def _links(envelope: Mapping[str, Any], data: Mapping[str, Any], event_base: str) -> Iterator[dict[str, str]]:
    yield {"rel": OUR_REL, "label": "Hitchpost event", "href": _address(event_base, envelope)}
    url = data.get("url")
    if isinstance(url, str) and url.startswith(("https://", "http://")) and len(url) <= 2_000:
        yield {"rel": "event", "label": "Details", "href": url}


def _event_base(target: Target, event_base: str) -> str:
    return str(target.settings.get("event_url") or event_base)


def _address(event_base: str, envelope: Mapping[str, Any]) -> str:
    return f"{event_base}?{urlencode({'source': envelope['source'], 'id': envelope['id']})}"


def _fill(template: str, event: OutgoingEvent) -> str:
    values = {
        "type": event.type,
        "source": event.source,
        "subject": event.subject or "",
        "state": event.state or "",
    }
    return _PLACE.sub(lambda place: values[place[1]], template)


def _clean(name: str) -> str:
    """A name of a stream or source: `A-Za-z0-9.:-_`, at most 255."""
    return _UNNAMED.sub("-", name).strip("-")[:_NAME_CHARACTERS]


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
