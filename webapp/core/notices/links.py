"""The signed link of a mail or webhook: whoever has it may reconnect this one connection, for a week.

It is signed and not a row, so that a mail that is tried again says the same, and that an outage makes no
thousand rows. It needs no spending either: it opens nothing once the connection is well, and what it opens
is a connect session.
"""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer

from webapp.errors import NotFound
from webapp.lib import clock
from webapp.lib.secret import Secret
from webapp.settings import Settings

#: How long a link works.
LIFETIME = timedelta(days=7)


def reconnect_link(settings: Settings, connection_id: UUID, told_at: datetime) -> str:
    """The address of a page with one button, for what was told at `told_at`."""
    ends_at = int((told_at + LIFETIME).timestamp())
    signed = _serializer(settings).dumps([connection_id.hex, ends_at])
    return f"{settings.public_url}/reconnect/{signed}"


def read_link(settings: Settings, link: Secret) -> UUID:
    """The connection that a link is about. Raises NotFound when it is not ours, or over."""
    try:
        connection_id, ends_at = _serializer(settings).loads(link.reveal())
        found = UUID(hex=connection_id)
    except (BadData, ValueError, TypeError, AttributeError):
        raise NotFound from None
    if clock.now().timestamp() > ends_at:
        raise NotFound
    return found


def _serializer(settings: Settings) -> URLSafeSerializer:
    return URLSafeSerializer(
        settings.secret_key.get_secret_value(),
        salt="hitchpost-reconnect",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
