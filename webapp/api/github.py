"""Where GitHub delivers: an address that holds a source's id and no secret, and a signature that lets in."""

import json
import time
from math import ceil
from uuid import UUID

from flask import Blueprint, Response, request

from webapp.api.bodies import read_body
from webapp.api.callers import runtime
from webapp.api.limits import Buckets
from webapp.api.problems import SIGNATURE_WRONG, TOO_MANY_REQUESTS, UNSUPPORTED_MEDIA_TYPE
from webapp.api.refusals import Refusal
from webapp.core.sources import Delivery, SignatureWrong, receive
from webapp.core.sources.receiving import MAX_BODY_BYTES

_PATH = "/github"
#: Wrong signatures a second for long, and at once, from one address for one source.
_RATE, _BURST = 0.2, 10.0
_wrong = Buckets(_RATE, _BURST)


def make_blueprint() -> Blueprint:
    """The one address."""
    blueprint = Blueprint("api_github", __name__)
    blueprint.add_url_rule(f"{_PATH}/<uuid:source_id>", view_func=deliver, methods=["POST"])
    return blueprint


def deliver(source_id: UUID) -> Response:
    """Take a delivery: 202 once it is stored, or with the reason why it says nothing to us."""
    sender = f"{source_id} {request.remote_addr}"
    _refuse_if(_wrong.peek(sender, time.monotonic()))
    if request.mimetype != "application/json":
        detail = "Choose the content type application/json in the webhook's settings at GitHub."
        raise Refusal(UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept-Post": "application/json"})
    told = request.headers
    delivery = Delivery(
        event=told.get("X-GitHub-Event", ""),
        id=told.get("X-GitHub-Delivery", ""),
        signature=told.get("X-Hub-Signature-256", ""),
        body=read_body(MAX_BODY_BYTES),
    )
    try:
        received = receive(runtime(), source_id, delivery)
    except SignatureWrong:
        _refuse_if(_wrong.take(sender, time.monotonic()))
        raise Refusal(SIGNATURE_WRONG, "X-Hub-Signature-256 is not made with this source's secret.") from None
    answer = {"state": received.state, "why": received.why, "id": received.id}
    body = {name: value for name, value in answer.items() if value is not None}
    return Response(json.dumps(body), 202, content_type="application/json")


def address_of(source_id: UUID) -> str:
    """What the source's owner tells GitHub."""
    return f"{runtime().settings.public_url}{_PATH}/{source_id}"


def _refuse_if(wait: float) -> None:
    """Raises Refusal with 429 when there were too many wrong signatures from there: before a body is read."""
    if wait:
        detail = "Too many deliveries from there had a wrong signature."
        raise Refusal(TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(ceil(wait))})
