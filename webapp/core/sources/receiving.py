"""Receiving a delivery: its signature first, over the bytes as they came; then what it says.

GitHub docs, "Validating webhook deliveries" and "Webhook events and payloads". `X-GitHub-Delivery` is the
event's id: a redelivery is a duplicate.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from webapp.core.events.accepting import accept_drafts
from webapp.core.events.drafts import Draft
from webapp.core.events.forms import Item
from webapp.core.events.native import read_native
from webapp.core.runtime import Runtime
from webapp.core.sources import github
from webapp.core.sources.making import GITHUB, good_secrets
from webapp.errors import Fault, Forbidden, IdentityConflict, Invalid, NotFound
from webapp.lib import clock, strict_json
from webapp.lib.secret import Secret
from webapp.models import Source

#: GitHub's own limit is 25 MB; what it tells of deployments, runs and releases is some 20 kB.
MAX_BODY_BYTES = 2_000_000
_USED_STEP = timedelta(minutes=1)


class SignatureWrong(Forbidden):
    """The signature is not that of this source's secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A request as it came; header values, "" where there is none."""

    #: X-GitHub-Event
    event: str
    #: X-GitHub-Delivery
    id: str
    #: X-Hub-Signature-256
    signature: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What became of a delivery: `accepted`, `duplicate`, `ignored` or `pong`; and why, or its public id."""

    state: str
    why: str | None = None
    id: str | None = None


def receive(runtime: Runtime, source_id: UUID, delivery: Delivery) -> Received:
    """Store what a delivery says, for the source's user; once this returns accepted it is committed.

    Raises NotFound (no such source, or ended), SignatureWrong, Invalid, Overloaded.
    """
    source = _find(runtime, source_id)
    if not _is_signed(delivery, good_secrets(runtime.vault, source, clock.now())):
        raise SignatureWrong
    _note_use(runtime, source)
    if delivery.event == "ping":
        return Received(state="pong")
    told = github.read(delivery.event, _payload(delivery))
    if isinstance(told, str):
        return Received(state="ignored", why=told)
    return _accept(runtime, source, {**told, "id": delivery.id, "source": GITHUB})


def _find(runtime: Runtime, source_id: UUID) -> Source:
    with runtime.database.read() as session:
        source = session.get(Source, source_id)
    if source is None or source.ended_at is not None:
        raise NotFound("There is no such source, or it has ended.")
    return source


def _is_signed(delivery: Delivery, secrets: Sequence[Secret]) -> bool:
    """Compared in constant time, with every good secret whichever fits."""
    given = delivery.signature.encode("utf-8", "replace")
    fits = [hmac.compare_digest(given, _signature(secret, delivery.body)) for secret in secrets]
    return any(fits)


def _signature(secret: Secret, body: bytes) -> bytes:
    return b"sha256=" + hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest().encode()


def _note_use(runtime: Runtime, source: Source) -> None:
    """Written down once a minute at most."""
    now = clock.now()
    if source.used_at is not None and now - source.used_at < _USED_STEP:
        return
    with runtime.database.write() as session:
        row = session.get(Source, source.id)
        if row is not None:
            row.used_at = now


def _payload(delivery: Delivery) -> dict[str, Any]:
    payload = strict_json.loads(delivery.body, max_bytes=MAX_BODY_BYTES, any_text=True)
    if not isinstance(payload, dict):
        raise Invalid([Fault("", "is not a JSON object")])
    return payload


def _accept(runtime: Runtime, source: Source, event: dict[str, Any]) -> Received:
    draft = read_native(Item("", event), clock.now())
    if not isinstance(draft, Draft):
        raise Invalid(draft)
    try:
        accepted = accept_drafts(runtime, [draft], only_user=source.user_id)
    except IdentityConflict:
        # The same delivery, read by another version of ours.
        return Received(state="duplicate")
    return Received(state="accepted" if accepted.accepted else "duplicate", id=accepted.ids[0])
