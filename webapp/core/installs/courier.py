"""One event of our own, sent straight into one environment: a proof's code, or word of a new connection."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from webapp.core.runtime import Runtime
from webapp.errors import VendorUnavailable
from webapp.lib import clock
from webapp.lib.secret import Secret
from webapp.lib.times import rfc3339
from webapp.providers.base import DestinationKind, OutgoingEvent, Receives, Target

_SOURCE = "hitchpost"


def send(
    runtime: Runtime,
    provider: str,
    environment: tuple[str, str],
    ingest_key: Secret,
    *,
    type: str,
    text: str,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Send `text` as an event into (workspace, environment). Raises VendorUnavailable if it is not taken."""
    receiver = runtime.providers[provider]
    if not isinstance(receiver, Receives):
        raise VendorUnavailable("this vendor takes no events", sent=False)
    kind = receiver.kinds[0]
    event = _event(type, text)
    target = Target(
        kind=kind.name,
        account_key=environment[0],
        environment_key=environment[1],
        settings=_defaults(kind) | dict(settings or {}),
        details={},
        secrets={"ingest_key": ingest_key},
    )
    encoded = receiver.encode([event], target)
    if encoded.request is None:
        raise VendorUnavailable("this vendor has no place for such an event", sent=False)
    reading = receiver.read(runtime.http.send(encoded.request), [event], target)
    if reading.setback is not None or reading.rejected or not reading.settled:
        raise VendorUnavailable(reading.words or "the event was not taken")


def _event(type: str, text: str) -> OutgoingEvent:
    now = clock.now()
    envelope = {
        "id": str(uuid4()),
        "source": _SOURCE,
        "type": type,
        "time": rfc3339(now),
        "timestamp": int(now.timestamp() * 1000),
        "message": text,
    }
    return OutgoingEvent(
        seq=1,
        type=type,
        source=_SOURCE,
        subject=None,
        state=None,
        time=now,
        body=json.dumps(envelope, ensure_ascii=False).encode(),
    )


def _defaults(kind: DestinationKind) -> dict[str, Any]:
    return {field.name: field.default for field in kind.settings}
