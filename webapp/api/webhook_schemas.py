"""What webhooks to the host app look like, for the OpenAPI document; the core's writer is what decides."""

from typing import Any

from webapp.core.notices import ABOUT, News

_MAYBE = {"type": ["string", "null"]}

_DATA: dict[str, Any] = {
    "type": "object",
    "description": "What a webhook is about: a connection, or a vendor. Never a secret but for `link`.",
    "properties": {
        "connection": {"type": "string", "format": "uuid"},
        "provider": {"type": "string", "examples": ["baselime"]},
        "account": {"type": "string", "description": "What people call the connected account."},
        "state": {
            "type": "string",
            "description": "Of the connection when this happened: active, degraded, needs_reconnect, paused "
            "or disconnected.",
        },
        "user": {"type": "string", "format": "uuid", "description": "Its owner's id here."},
        "external_id": {
            **_MAYBE,
            "description": "Its owner's id at the host app; null: a user of this instance.",
        },
        "reason": {**_MAYBE, "description": "Why, in one sentence."},
        "text": {"type": "string", "description": "What its owner, or for a vendor the admins, were told."},
        "link": {
            "type": "string",
            "format": "uri",
            "description": "Where its owner reconnects with one click. Only where the user is to act, and "
            "only for users with an `external_id`. Whoever has it can reconnect this one connection, for a "
            "week: send the user there, and keep it in no log.",
        },
        "at_the_vendor": {
            "type": "string",
            "description": "Of a disconnect: what is left to do at the vendor, for its owner; may be empty.",
        },
        "connections": {"type": "integer", "description": "How many a vendor's trouble touches."},
    },
}

_WEBHOOK: dict[str, Any] = {
    "type": "object",
    "description": "The body of a webhook, as Standard Webhooks 1.0 has it.",
    "required": ["type", "timestamp", "data"],
    "properties": {
        "type": {"enum": [news.value for news in News], "description": "What happened."},
        "timestamp": {
            "type": "string",
            "format": "date-time",
            "description": "When; it and all of the body are the same at every try.",
        },
        "data": {"$ref": "#/components/schemas/WebhookData"},
    },
}

#: By name, for the document's components.
SCHEMAS: dict[str, Any] = {"Webhook": _WEBHOOK, "WebhookData": _DATA}

_HEADERS = {
    "webhook-id": "Names this webhook, the same at every try: take each once.",
    "webhook-timestamp": "When this try left, in seconds since 1970; refuse old ones.",
    "webhook-signature": "`v1,` and the HMAC-SHA256 in base64, once for each secret in use, space-separated.",
}


def describe() -> dict[str, Any]:
    """Every webhook, as the document's `webhooks`."""
    return {news.value: {"post": _describe(news)} for news in News}


def _describe(news: News) -> dict[str, Any]:
    return {
        "summary": ABOUT[news],
        "operationId": f"webhook_{news.value.replace('.', '_')}",
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": about,
                "schema": {"type": "string"},
            }
            for name, about in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Webhook"}}},
        },
        "responses": {
            "2XX": {"description": "Taken."},
            "410": {"description": "Send nothing here any more, until an admin says so."},
            "default": {"description": "Tried again for three days; `Retry-After` is kept, up to an hour."},
        },
    }
