"""One event of our own, sent straight into one environment: a proof's code, or word of a new connection."""

import json
from uuid import uuid4

from webapp.core.runtime import Runtime
from webapp.errors import VendorUnavailable
from webapp.lib import clock
from webapp.lib.secret import Secret
from webapp.lib.times import rfc3339
from webapp.providers.receiving import OutgoingEvent, Receives, Target

_SOURCE = "hitchpost"


def receiver_of(runtime: Runtime, provider: str) -> Receives:
    """The provider as one that takes events. Raises VendorUnavailable when it takes none."""
    receiver = runtime.providers.get(provider)
    if not isinstance(receiver, Receives):
        raise VendorUnavailable("this vendor takes no events", sent=False)
    return receiver


def target(receiver: Receives, environment: tuple[str, str], ingest_key: Secret) -> Target:
    """Where an event goes that no destination stands for yet: (workspace, environment), by its ingest key."""
    kind = receiver.kinds[0]
    return Target(
        kind=kind.name,
        account_key=environment[0],
        environment_key=environment[1],
        settings={field.name: field.default for field in kind.settings},
        details={},
        secrets={"ingest_key": ingest_key},
    )


def send(runtime: Runtime, receiver: Receives, target: Target, *, type: str, text: str) -> bool:
    """Send `text` as an event; whether there is a place for it. Raises VendorUnavailable if not taken."""
    event = _event(type, text)
    encoded = receiver.encode([event], target)
    if encoded.request is None:
        return False
    reading = receiver.read(runtime.http.send(encoded.request), [event], target)
    if reading.setback is not None or reading.rejected or not reading.settled:
        raise VendorUnavailable(reading.words or "the event was not taken")
    return True


def _event(type: str, text: str) -> OutgoingEvent:
    now = clock.now()
    envelope = {
        "id": str(uuid4()),
        "source": _SOURCE,
        "type": type,
        "time": rfc3339(now),
        "timestamp": int(now.timestamp() * 1000),
        "message": text,
        "data": {"message": text},
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
