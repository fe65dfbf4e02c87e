"""Drafts: items that are checked and written as the envelope that will be stored and sent.

The envelope is a JSON object: `id`, `source`, `type`, `subject`?, `state`?, `time` (RFC 3339), `timestamp`
(the same in milliseconds), `message` (a line for people), `data`, `attributes`? (of a CloudEvent, those
beyond these), and for a stop whose start was seen `started_at`. What log services look for at the top is
lifted there from `data`: `error`, `requestId`, `traceId`, `level` (strings) and `duration` (a number).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from webapp.errors import Fault
from webapp.lib.plain_json import canonical, compact
from webapp.lib.times import rfc3339

#: An event, as stored, must stay below this many bytes (Baselime docs, "Events API": each event < 256kb).
MAX_EVENT_BYTES = 256_000
_STARTED_AT = b',"started_at":"%s"}'
#: what `with_start` adds at most
_ROOM_FOR_START = len(_STARTED_AT % b"9999-12-31T23:59:59.999Z") - 1
_LIFTED = {"error": str, "requestId": str, "traceId": str, "level": str, "duration": int | float}
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_VERBS = {"start": " started", "stop": " stopped", None: ""}


@dataclass(slots=True, kw_only=True)
class Draft:
    """An event before it has a stream and a seq."""

    where: str
    #: as the client named the user; None: the one its key is bound to
    user: str | None
    key_hash: bytes
    digest: bytes
    type: str
    source: str
    subject: str | None
    state: str | None
    time: datetime
    body: bytes = field(repr=False)

    def with_start(self, started: datetime) -> bytes:
        """The envelope with `started_at`."""
        return self.body[:-1] + _STARTED_AT % rfc3339(started).encode()

    def size_fault(self) -> Fault | None:
        """A fault when the envelope is too large to be sent to anybody."""
        size = len(self.body) + (_ROOM_FOR_START if self.state == "stop" else 0)
        if size < MAX_EVENT_BYTES:
            return None
        return Fault(self.where, f"is {size:,} bytes as stored, an event must be below {MAX_EVENT_BYTES:,}")


def draft(
    item: Mapping[str, Any],
    where: str,
    *,
    id: str,
    source: str,
    type: str,
    subject: str | None,
    state: str | None,
    time: datetime,
    user: str | None,
    data: Mapping[str, Any],
    attributes: Mapping[str, Any] | None = None,
    plain: bool = False,
) -> Draft:
    """Write the envelope. `item` is what the client sent: its digest tells a repeat from another event.

    `plain` says of the item's JSON what lib.plain_json does.
    """
    envelope: dict[str, Any] = {"id": id, "source": source, "type": type}
    if subject is not None:
        envelope["subject"] = subject
    if state is not None:
        envelope["state"] = state
    envelope["time"], envelope["timestamp"] = rfc3339(time), (time - _EPOCH) // _MILLISECOND
    envelope["message"] = _message(type, subject, state, data)
    for name, kind in _LIFTED.items():
        if name in data and _is(data[name], kind):
            envelope[name] = data[name]
    envelope["data"] = data
    if attributes:
        envelope["attributes"] = attributes
    return Draft(
        where=where,
        user=user,
        key_hash=key_hash(source, id),
        digest=_digest(item, plain=plain),
        type=type,
        source=source,
        subject=subject,
        state=state,
        time=time,
        body=compact(envelope),
    )


def key_hash(source: str, id: str) -> bytes:
    """The identity of an event inside its stream, 16 to 48 bytes: the id's first 32, then a hash of both.

    Ids that grow (counters, ULIDs, UUIDv7) so lie side by side in the index: a hash alone would make every
    event dirty a page of its own, and the log of a commit grow with the backlog.
    """
    return id.encode()[:32] + hashlib.sha256(compact([source, id])).digest()[:16]


def _digest(item: Mapping[str, Any], *, plain: bool) -> bytes:
    # The user is left out: the stream says who it is, and there are two ways to name the same one.
    sent = dict(item)
    sent.pop("user", None)
    return hashlib.sha256(canonical(sent, plain=plain)).digest()


def _message(type: str, subject: str | None, state: str | None, data: Mapping[str, Any]) -> str:
    given = data.get("message")
    if isinstance(given, str) and given:
        return given
    return f"{type}{_VERBS[state]}" + (f": {subject}" if subject else "")


def _is(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
