"""Measurements: the numbers of an event's data that a destination names, tagged, in batches.

Librato docs, Measurements: JSON only; at most 1,000 a post is advised; names `A-Za-z0-9.:-_` up to 255; tag
values up to 255.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from webapp.lib.http import Request
from webapp.providers.choosing import CHOOSING
from webapp.providers.forms import FormField
from webapp.providers.librato.api import headers
from webapp.providers.receiving import DestinationKind, Encoded, OutgoingEvent, Target

_MOST = 300
_NAME = re.compile(r"[^A-Za-z0-9.:_-]+")
_TAG_VALUE = re.compile(r"[^-.:_?\\/\w ]+", re.ASCII)
#: Outside these the service refuses a value or rounds it to nothing.
_LARGEST, _SMALLEST = 1e126, 1e-130

KIND = DestinationKind(
    name="librato.measurements",
    title="Measurements",
    credential_kind="api_token",
    batch_bytes=1_000_000,
    batch_events=_MOST,
    settings=(
        *CHOOSING,
        FormField(
            name="fields",
            label="Numeric fields",
            max_length=1_000,
            help="Fields of an event's data, separated by spaces: duration build.size. Others are left out.",
        ),
        FormField(
            name="prefix",
            label="Metric names begin with",
            required=False,
            default="{type}.",
            max_length=100,
            help="May hold {type}.",
        ),
    ),
)


def encode(events: Sequence[OutgoingEvent], target: Target, base: str) -> Encoded:
    """As many events as fit a post; without a request when none of the first ones holds such a number."""
    measurements: list[dict[str, Any]] = []
    count = 0
    for event in events:
        found = list(_measurements(event, target.settings))
        if measurements and (not found or len(measurements) + len(found) > _MOST):
            break
        if found and count and not measurements:
            break
        measurements += found[:_MOST]
        count += 1
    if not measurements:
        return Encoded(request=None, count=count)
    request = Request(
        method="POST",
        url=f"{base}/v1/measurements",
        headers=headers(target.account_key, target.secrets["api_token"]),
        body=json.dumps({"measurements": measurements}).encode(),
    )
    return Encoded(request=request, count=count)


def _measurements(event: OutgoingEvent, settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    data = json.loads(event.body).get("data")
    prefix = str(settings.get("prefix") or "").replace("{type}", event.type)
    for field in str(settings.get("fields") or "").split():
        value = _number(data, field)
        name = _NAME.sub("-", f"{prefix}{field}")[:255]
        if value is not None:
            yield {
                "name": name,
                "value": value,
                "time": int(event.time.timestamp()),
                "tags": dict(_tags(event)),
            }


def _number(data: object, path: str) -> float | None:
    """The number at `path`: the whole name, or its parts between dots."""
    if isinstance(data, dict) and path not in data and "." in path:
        head, _, rest = path.partition(".")
        return _number(data.get(head), rest)
    value = data.get(path) if isinstance(data, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    size = abs(value)
    return value if size == 0 or (math.isfinite(size) and _SMALLEST < size < _LARGEST) else None


def _tags(event: OutgoingEvent) -> Iterator[tuple[str, str]]:
    for name, value in (("source", event.source), ("subject", event.subject), ("state", event.state)):
        if value and (cleaned := _TAG_VALUE.sub("-", value)[:255]):
            yield name, cleaned
