"""Webhooks to the host app, signed as Standard Webhooks 1.0 asks (https://www.standardwebhooks.com)."""

import json
from typing import Any

from standardwebhooks import Webhook

from webapp.core.notices import links
from webapp.core.notices.kinds import News
from webapp.core.notices.leases import Answer
from webapp.core.runtime import Runtime
from webapp.errors import VendorUnavailable
from webapp.lib import clock, retry_after
from webapp.lib.http import Request, Response
from webapp.lib.times import rfc3339
from webapp.models import Errand
from webapp.settings import Settings

GONE = 410
#: Those that ask the user to act, and so come with the link to do it.
_WITH_LINK = frozenset({News.NEEDS_RECONNECT, News.DEGRADED, News.DESTINATION_HELD})


def send(runtime: Runtime, errand: Errand) -> Answer:
    """Send it once; what the host app said. 2xx is taken, anything else is tried again."""
    try:
        response = runtime.app_http.send(write(runtime.settings, errand))
    except VendorUnavailable as error:
        words = f"{error}; it may have arrived" if error.sent else str(error)
        return Answer(words=words, way_is_blocked=True)
    return _read(response)


def write(settings: Settings, errand: Errand) -> Request:
    """The signed request: the same body at every try, under the time of this one."""
    body = json.dumps(_payload(settings, errand), ensure_ascii=False, separators=(",", ":"))
    now = clock.now()
    signatures = [
        Webhook(secret.get_secret_value()).sign(str(errand.id), now, body)
        for secret in (settings.webhook_secret, settings.webhook_secret_previous)
        if secret.get_secret_value()
    ]
    headers = {
        "content-type": "application/json",
        "webhook-id": str(errand.id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return Request(method="POST", url=settings.webhook_url, headers=headers, body=body.encode())


def _payload(settings: Settings, errand: Errand) -> dict[str, Any]:
    data = dict(errand.data)
    # Whom the host app knows, it may send to reconnect; people with a sign-in of their own here get mail.
    if errand.connection_id is not None and errand.kind in _WITH_LINK and data.get("external_id"):
        data["link"] = links.reconnect_link(settings, errand.connection_id, errand.created_at)
    return {"type": errand.kind, "timestamp": rfc3339(errand.created_at), "data": data}


def _read(response: Response) -> Answer:
    if 200 <= response.status < 300:
        return Answer(sent=True, status=response.status, words="taken")
    return Answer(
        status=response.status,
        words=f"answered {response.status}",
        retry_after=retry_after.read(response.headers.get("retry-after")),
        way_is_blocked=True,
    )
