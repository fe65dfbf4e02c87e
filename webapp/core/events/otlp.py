"""OTLP exports as events: a request is one Event, protobuf as it came; a large one is cut into several.

A client that got no answer sends the same bytes again, so the bytes are the identity: what was stored is
then a duplicate. Requests of one signal can be joined byte to byte, as all their fields are repeated: that is
how they are sent on, and nobody parses them again.
"""

import hashlib
import threading
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from webapp.core.events.accepting import accept_drafts
from webapp.core.events.drafts import MAX_EVENT_BYTES, Draft, key_hash
from webapp.core.events.fields import MAX_CHARACTERS
from webapp.core.events.forms import MAX_BODY_BYTES
from webapp.core.events.showing import content_id
from webapp.core.runtime import Runtime
from webapp.lib import clock, otlp
from webapp.lib.otlp import Message, Partial, Signal
from webapp.providers.receiving import OTLP_TYPES

#: What stands for the sender of OTLP, which names none.
SOURCE = "otlp"
#: A request in pieces takes many times its bytes: only so many are read at a time, the others wait.
_READERS = threading.BoundedSemaphore(2)


def accept_otlp(
    runtime: Runtime,
    signal: Signal,
    payload: bytes,
    *,
    as_json: bool,
    user: str | None,
    only_user: UUID | None,
) -> Partial | None:
    """Store an export for `user`, or for the one user that the key is bound to; None when all was taken.

    Else how many records were too large, and why; the others are stored. An export without records is taken
    and nothing stored. Raises Invalid (it cannot be read, or the user is unknown), Overloaded.
    """
    with _READERS:
        request = otlp.read_request(signal, payload, as_json=as_json, max_bytes=MAX_BODY_BYTES)
        if otlp.count_records(signal, request) == 0:
            return None
        bodies, rejected = _bodies(signal, request, None if as_json else payload)
    subject, now = _subject(otlp.service_of(signal, request)), clock.now()
    if bodies:
        drafts = [_draft(signal, body, user, subject, now) for body in bodies]
        accept_drafts(runtime, drafts, only_user=only_user)
    if not rejected:
        return None
    return Partial(
        rejected=rejected, message=f"A record must be below {MAX_EVENT_BYTES:,} bytes as protobuf."
    )


def _bodies(signal: Signal, request: Message, payload: bytes | None) -> tuple[Sequence[bytes], int]:
    """What is stored, and how many records are too large for it. `payload`: the request as it came."""
    body = _serialize(request) if payload is None else payload
    if len(body) < MAX_EVENT_BYTES:
        return [body], 0
    made = otlp.cut(signal, request, below_bytes=MAX_EVENT_BYTES)
    return [_serialize(piece) for piece in made.pieces], made.rejected


def _draft(signal: Signal, body: bytes, user: str | None, subject: str | None, now: datetime) -> Draft:
    return Draft(
        where="",
        user=user,
        key_hash=key_hash(SOURCE, content_id(body)),
        digest=hashlib.sha256(body).digest(),
        type=OTLP_TYPES + signal.name,
        source=SOURCE,
        subject=subject,
        state=None,
        time=now,
        body=body,
    )


def _subject(service: str | None) -> str | None:
    fits = service is not None and len(service) <= MAX_CHARACTERS and service.isprintable()
    return service if fits else None


def _serialize(request: Message) -> bytes:
    return bytes(request.SerializeToString(deterministic=True))
