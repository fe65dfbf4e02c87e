"""Baselime's Events API: how a batch is written and what its answers mean (Baselime docs, "Events API").

A request is a JSON array of envelopes, `POST /v1/<dataset>`, under 6 MB. The envelope that is stored with
every event already is what Baselime reads: `message`, `timestamp` (ms), and, where the event's data has
them, `error`, `requestId`, `traceId`, `duration` and `level`, which it groups by. So a batch joins bytes.
"""

from collections.abc import Sequence

from webapp.lib import retry_after
from webapp.lib.http import Request, Response
from webapp.providers.answers import errors_in, setback_of
from webapp.providers.baselime import answers
from webapp.providers.choosing import CHOOSING
from webapp.providers.forms import FormField
from webapp.providers.receiving import DestinationKind, Encoded, OutgoingEvent, Reading, Setback, Target

#: Visible ASCII: what a header can carry. (The docs name no grammar.)
_HEADER_PATTERN = "[!-~]([ -~]*[!-~])?"

EVENTS = DestinationKind(
    name="baselime.events",
    title="Baselime events",
    credential_kind="ingest_key",
    settings=(
        FormField(
            name="dataset",
            label="Dataset",
            default="logs",
            help="Where Baselime stores the events: letters, digits, dots, dashes and underscores.",
            max_length=128,
            pattern="[A-Za-z0-9._-]{1,128}",
        ),
        FormField(
            name="service",
            label="Service",
            required=False,
            help="Sent as x-service: what Baselime groups the events under.",
            max_length=256,
            pattern=_HEADER_PATTERN,
        ),
        FormField(
            name="namespace",
            label="Namespace",
            required=False,
            help="Sent as x-namespace.",
            max_length=256,
            pattern=_HEADER_PATTERN,
        ),
        *CHOOSING,
    ),
    batch_bytes=5_900_000,
    batch_events=1_000,
)

KINDS = (EVENTS,)


def encode(events_url: str, events: Sequence[OutgoingEvent], target: Target) -> Encoded:
    """A request for a non-empty prefix of `events`; `events_url` is the API's base address."""
    count, size = 0, 2
    for event in events[: EVENTS.batch_events]:
        size += len(event.body) + 1
        if count and size > EVENTS.batch_bytes:
            break
        count += 1
    headers = {"content-type": "application/json", "x-api-key": target.secrets["ingest_key"].reveal()}
    for name in ("service", "namespace"):
        if target.settings.get(name):
            headers[f"x-{name}"] = target.settings[name]
    request = Request(
        method="POST",
        url=f"{events_url}/v1/{target.settings['dataset']}",
        headers=headers,
        body=b"[" + b",".join(event.body for event in events[:count]) + b"]",
    )
    return Encoded(request=request, count=count)


def read(response: Response, events: Sequence[OutgoingEvent], target: Target) -> Reading:
    """What an answer means. Only 202 is documented as success; any other 2xx that is no HTML is taken as one.

    400 with `invalid` names the rejected events, and the rest was taken; so does a 2xx that has such a list.
    Where an entry names no event that was sent, nobody knows which were taken: fewer are sent again, until
    the refused one is alone.
    """
    words = answers.words(response, target.secrets)
    answered = 200 <= response.status < 300 and answers.is_plain(response)
    refused = bool(answers.invalid_entries(response)) or errors_in(response)
    if answered and not refused:
        return Reading(settled=len(events), words=words)
    if answered or response.status == 400:
        return _bad_request(response, events, words)
    wait = retry_after.read(response.headers.get("retry-after"))
    return Reading(settled=0, setback=setback_of(response), words=words, retry_after=wait)


def _bad_request(response: Response, events: Sequence[OutgoingEvent], words: str) -> Reading:
    invalid = answers.invalid_entries(response)
    if not invalid:
        return Reading(settled=0, setback=Setback.REFUSED, words=words)
    rejected, strangers = answers.match(invalid, events)
    if strangers and len(invalid) >= len(events):
        # As many are listed as were sent: whatever their shape, none was taken.
        rejected, strangers = dict.fromkeys(range(len(events)), words) | rejected, 0
    if strangers:
        words = f"{words} ({strangers} entries of its list name no event that was sent)"
        return Reading(settled=0, setback=Setback.REFUSED, words=words)
    return Reading(settled=len(events), rejected=rejected, words=words)
