"""Baselime's OpenTelemetry API: OTLP passed on as OTLP (Baselime docs, "OpenTelemetry"; OTLP specification).

`POST /v1/logs`, `/v1/traces` and `/v1/metrics`, with `x-api-key` and `x-baselime-dataset`. A body is an OTLP
request in protobuf as it was stored; several are joined byte to byte, which is what merging them means. No
limit is documented: a request stays within 4 MB, which OTLP receivers commonly take.

A partial success says how many records were rejected and never which, and is not to be sent again (OTLP
specification, "Partial Success"). So all its events count as delivered, and the attempt notes what the vendor
said; only when it rejected as many records as the request had, all its events are dead letters.
"""

import zlib
from collections.abc import Mapping, Sequence

from webapp.errors import Invalid
from webapp.lib import otlp, retry_after
from webapp.lib.http import Request, Response
from webapp.providers.answers import is_page, setback_of
from webapp.providers.baselime import answers
from webapp.providers.choosing import CHOOSING_OTLP
from webapp.providers.forms import FieldKind, FormField
from webapp.providers.receiving import DestinationKind, Encoded, OutgoingEvent, Reading, Target

PROTOBUF = "application/x-protobuf"
_WORDS_CHARACTERS = 300
_GZIP_WINDOW = 31  # zlib's word for "with a gzip header", RFC 1952

_SETTINGS = (
    *CHOOSING_OTLP,
    FormField(
        name="dataset",
        label="Dataset",
        default="otel",
        help="Sent as x-baselime-dataset: letters, digits, dots, dashes and underscores.",
        max_length=128,
        pattern="[A-Za-z0-9._-]{1,128}",
    ),
    FormField(
        name="gzip",
        label="Compress requests with gzip",
        kind=FieldKind.FLAG,
        required=False,
        help="Less to send, and more for this machine to do.",
    ),
)

KINDS = tuple(
    DestinationKind(
        name=f"baselime.otlp.{signal}",
        title=f"Baselime OpenTelemetry {signal}",
        credential_kind="ingest_key",
        settings=_SETTINGS,
        otlp_signal=signal,
        batch_bytes=4_000_000,
        batch_events=1_000,
    )
    for signal in otlp.SIGNALS
)
#: By the name of the kind.
SIGNAL_OF: Mapping[str, otlp.Signal] = {kind.name: otlp.SIGNALS[kind.otlp_signal] for kind in KINDS}


def encode(otel_url: str, events: Sequence[OutgoingEvent], target: Target) -> Encoded:
    """A request for a non-empty prefix of `events`; `otel_url` is the API's base address."""
    kind = KINDS[0]
    count, size = 0, 0
    for event in events[: kind.batch_events]:
        size += len(event.body)
        if count and size > kind.batch_bytes:
            break
        count += 1
    body = b"".join(event.body for event in events[:count])
    headers = {
        "accept": f"{PROTOBUF}, application/json",
        "content-type": PROTOBUF,
        "x-api-key": target.secrets["ingest_key"].reveal(),
        "x-baselime-dataset": target.settings["dataset"],
    }
    if target.settings.get("gzip"):
        headers["content-encoding"] = "gzip"
        body = _pack(body)
    url = f"{otel_url}/v1/{SIGNAL_OF[target.kind].name}"
    return Encoded(request=Request(method="POST", url=url, headers=headers, body=body), count=count)


def read(response: Response, events: Sequence[OutgoingEvent], target: Target) -> Reading:
    """What an answer means. The specification lets a sender give up on any 4xx; here most are tried again."""
    words = answers.words(response, target.secrets)
    if 200 <= response.status < 300 and not is_page(response):
        return _success(response, events, target)
    wait = retry_after.read(response.headers.get("retry-after"))
    return Reading(settled=0, setback=setback_of(response), words=words, retry_after=wait)


def _success(response: Response, events: Sequence[OutgoingEvent], target: Target) -> Reading:
    signal = SIGNAL_OF[target.kind]
    as_json = response.headers.get("content-type", "").startswith("application/json")
    partial = otlp.read_answer(signal, response.body, as_json=as_json)
    if partial is None:
        return Reading(settled=len(events))
    said = answers.tidy(partial.message, target.secrets) or "it gave no reason"
    if not partial.rejected:
        return Reading(settled=len(events), remark=said)
    records = sum(_records(signal, event.body) for event in events)
    words = f"{partial.rejected:,} of {records:,} records rejected: {said}"[:_WORDS_CHARACTERS]
    if partial.rejected < records:
        return Reading(settled=len(events), remark=words)
    return Reading(settled=len(events), rejected=dict.fromkeys(range(len(events)), words), words=words)


def _records(signal: otlp.Signal, body: bytes) -> int:
    try:
        request = otlp.read_request(signal, body, as_json=False, max_bytes=len(body))
    except Invalid:
        return 0
    return otlp.count_records(signal, request)


def _pack(body: bytes) -> bytes:
    packer = zlib.compressobj(level=1, wbits=_GZIP_WINDOW)
    return packer.compress(body) + packer.flush()
