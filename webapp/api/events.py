"""Events: where a host app sends them, and where each one is."""

import json

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from webapp.api.answers import AcceptedAnswer, EventAnswer, PlaceAnswer
from webapp.api.bodies import MAX_BYTES, read_body
from webapp.api.callers import Caller
from webapp.api.event_schemas import CONTENT
from webapp.api.operations import Resource
from webapp.api.problems import (
    BAD_REQUEST,
    IDENTITY_CONFLICT,
    INVALID_EVENTS,
    OVERLOADED,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
)
from webapp.api.refusals import Refusal
from webapp.core import events
from webapp.core.api_keys import Scope
from webapp.core.events import Accepted, EventForm
from webapp.core.queries.events import find_event
from webapp.core.queries.places import places_of
from webapp.errors import Fault, Invalid

resource = Resource("Events")

#: What a Content-Type says of the form of a body (CloudEvents 1.0, HTTP protocol binding §3).
FORMS = {
    "application/json": EventForm.NATIVE,
    "application/cloudevents+json": EventForm.CLOUDEVENT,
    "application/cloudevents-batch+json": EventForm.CLOUDEVENTS_BATCH,
}


@resource.post(
    "/events",
    scope=Scope.EVENTS_WRITE,
    status=202,
    takes=CONTENT,
    problems=(BAD_REQUEST, IDENTITY_CONFLICT, UNSUPPORTED_MEDIA_TYPE, INVALID_EVENTS, OVERLOADED),
)
def send_events(caller: Caller) -> AcceptedAnswer:
    """Accept events: one, or up to 1,000, for one or many users.

    The answer is 202 only after the commit: from then on no event is lost. A request is all or nothing. The
    same event (user, source and id) sent again is a duplicate and stored once, so a lost answer is mended by
    sending the same request again. Bodies may be gzip (`Content-Encoding: gzip`).

    CloudEvents come in structured, batched or binary mode. In binary mode the attributes are headers
    (`ce-specversion`, `ce-id`, `ce-source`, `ce-type`, `ce-user` …), and the body is the data, of any type.
    """
    try:
        accepted = _accept(caller)
    except Invalid as error:
        detail = "Nothing was stored: mend what `errors` names and send the whole request again."
        raise Refusal(INVALID_EVENTS, detail, faults=error.faults) from None
    return AcceptedAnswer(accepted=accepted.accepted, duplicates=accepted.duplicates, ids=accepted.ids)


def _accept(caller: Caller) -> Accepted:
    form = FORMS.get(request.mimetype)
    if events.BINARY_MARK in request.headers and form in {None, EventForm.NATIVE}:
        return events.accept_binary(
            caller.runtime, dict(request.headers), _body(), only_user=caller.only_user
        )
    if form is None:
        detail = "Send events as application/json, or as CloudEvents in structured, batched or binary mode."
        raise Refusal(UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept-Post": ", ".join(FORMS)})
    return events.accept(caller.runtime, _body(), form=form, only_user=caller.only_user)


def _body() -> bytes:
    """The body. One that is too large is a fault like any other, so that a sender handles one answer."""
    try:
        return read_body()
    except RequestEntityTooLarge:
        words = f"The body has more than {MAX_BYTES:,} bytes."
    except Refusal as error:
        if error.problem is not TOO_LARGE:
            raise
        words = error.detail
    raise Invalid([Fault("", words)])


@resource.get("/events/<event_id>", scope=Scope.EVENTS_READ)
def show_event(caller: Caller, event_id: str) -> EventAnswer:
    """Where an event is, destination by destination.

    Found by the id that its acceptance answered, for as long as it is kept.
    """
    with caller.runtime.database.read() as session:
        found = find_event(session, caller.only_user, event_id)
        places = places_of(session, found)
    return EventAnswer(
        id=found.id,
        seq=found.seq,
        user=found.user_id,
        accepted_at=found.accepted_at,
        envelope=json.loads(found.body or "{}"),
        places=tuple(PlaceAnswer.model_validate(place) for place in places),
    )
