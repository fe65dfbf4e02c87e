"""Reading a change event as strictly as the docs allow (Last9 docs, Change events)."""

import math
import re
from datetime import datetime

from webapp.sandbox.last9.organization import cluster_named
from webapp.sandbox.last9.refusals import RefusedError
from webapp.sandbox.last9.samples import Sample, labels_of

FIELDS = {"event_name", "event_state", "timestamp", "attributes", "value", "data_source_name"}
VALUES = {"start": 1, "stop": 2}
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def parse(event: object, now: float) -> Sample:
    """Return the sample a change event becomes, or refuse it with 400.

    Chosen: the docs are silent on the status and text of every refusal, and on unknown fields, values
    that are no scalar, label names with other signs than `a-z0-9_`, and unknown data sources.
    """
    if not isinstance(event, dict):
        raise RefusedError(400, "the body must be one object")
    if unknown := sorted(set(event) - FIELDS):
        raise RefusedError(400, f"unknown field {', '.join(unknown)}")
    name, state = event.get("event_name"), event.get("event_state", "start")
    if not isinstance(name, str) or not name.strip():
        raise RefusedError(400, "event_name is required")
    if not isinstance(state, str) or state not in VALUES:
        raise RefusedError(400, "event_state must be start or stop")
    cluster = cluster_named(event.get("data_source_name"))
    if cluster is None:
        raise RefusedError(400, "unknown data_source_name")
    return Sample(
        cluster=cluster.name,
        time=_time(event.get("timestamp"), now),
        value=_value(event.get("value", VALUES[state])),
        labels=labels_of(name, state, _attributes(event.get("attributes", {}))),
    )


def _time(text: object, now: float) -> float:
    """Read any ISO 8601 time with an offset; without one it could be anybody's."""
    if text is None:
        return now
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise RefusedError(400, "timestamp must be an ISO 8601 time with an offset")
    return moment.timestamp()


def _value(value: object) -> float:
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise RefusedError(400, "value must be a number")
    return number


def _attributes(attributes: object) -> dict[str, object]:
    if not isinstance(attributes, dict):
        raise RefusedError(400, "attributes must be an object")
    for key, value in attributes.items():
        if not LABEL.fullmatch(key):
            raise RefusedError(400, f"attribute {key} is not a label name")
        if not isinstance(value, str | int | float):
            raise RefusedError(400, f"attribute {key} must be a string, a number or a boolean")
    return attributes
