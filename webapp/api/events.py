"""Events: where a host app sends them, and where each one is."""

import json
from collections.abc import Callable
from functools import partial

from flask import Response, after_this_request, request
from pydantic import Field
from werkzeug.exceptions import RequestEntityTooLarge

from webapp.api.answers import AcceptedAnswer, BacklogAnswer, EventAnswer, PlaceAnswer
from webapp.api.bodies import MAX_BYTES, read_body
from webapp.api.callers import Caller, require_user
from webapp.api.event_schemas import CONTENT
from webapp.api.inputs import Input
from webapp.api.operations import Resource
from webapp.api.problems import (
    BACKLOG_FULL,
    BAD_REQUEST,
    IDENTITY_CONFLICT,
    INVALID_EVENTS,
    OVERLOADED,
    TOO_LARGE,
    TOO_MANY_EVENTS,
    UNSUPPORTED_MEDIA_TYPE,
)
from webapp.api.refusals import Refusal
from webapp.core import events
from webapp.core.api_keys import Scope
from webapp.core.events import Accepted, EventForm
from webapp.core.queries.backlogs import backlog_of
from webapp.core.queries.events import find_event
from webapp.core.queries.places import places_of
from webapp.errors import Fault, Invalid
from webapp.lib.plain_json import compact

resource = Resource("Events")

#: What a Content-Type says of the form of a body (CloudEvents 1.0, HTTP protocol binding §3).
FORMS = {
    "application/json": EventForm.NATIVE,
    "application/cloudevents+json": EventForm.CLOUDEVENT,
    "application/cloudevents-batch+json": EventForm.CLOUDEVENTS_BATCH,
}

#: How full the user's backlog is, once that is a matter.
BACKLOG_HEADER = "Hitchpost-Backlog"


class BacklogQuery(Input):
    """Whose backlog."""

    user: str | None = Field(
        None, max_length=512, description="A user's id or external id. A key that is bound to one needs none."
    )


@resource.post(
    "/events",
    scope=Scope.EVENTS_WRITE,
    status=202,
    takes=CONTENT,
    problems=(
        BAD_REQUEST,
        IDENTITY_CONFLICT,
        UNSUPPORTED_MEDIA_TYPE,
        INVALID_EVENTS,
        BACKLOG_FULL,
        TOO_MANY_EVENTS,
        OVERLOADED,
    ),
)
def send_events(caller: Caller) -> AcceptedAnswer:
    """Accept events: one, or up to 1,000, for one or many users.

    The answer is 202 only after the commit: from then on no event is lost. A request is all or nothing. The
    same event (user, source and id) sent again is a duplicate and stored once, so a lost answer is mended by
    sending the same request again. Bodies may be gzip (`Content-Encoding: gzip`).

    CloudEvents come in structured, batched or binary mode. In binary mode the attributes are headers
    (`ce-specversion`, `ce-id`, `ce-source`, `ce-type`, `ce-user` …), and the body is the data, of any type.
    """
    accepted = _or_refused(partial(_accept, caller))
    if accepted.crowded:
        after_this_request(partial(_warn, accepted.crowded))
    return answer_of(accepted)


def accept_plain(caller: Caller, payload: bytes) -> Accepted:
    """Accept a body in the native form. Raises Refusal, or what `core.events.accept` does."""
    read = partial(events.accept, caller.runtime, payload, form=EventForm.NATIVE, only_user=caller.only_user)
    return _or_refused(read)


def answer_of(accepted: Accepted) -> AcceptedAnswer:
    """What the sender is told."""
    return AcceptedAnswer(accepted=accepted.accepted, duplicates=accepted.duplicates, ids=accepted.ids)


def told(accepted: Accepted) -> bytes:
    """The same, as it is written: without a look at what was counted here."""
    return compact({"accepted": accepted.accepted, "duplicates": accepted.duplicates, "ids": accepted.ids})


def _or_refused(accept: Callable[[], Accepted]) -> Accepted:
    try:
        return accept()
    except Invalid as error:
        detail = "Nothing was stored: mend what `errors` names and send the whole request again."
        raise Refusal(INVALID_EVENTS, detail, faults=error.faults) from None


def _warn(crowded: float, response: Response) -> Response:
    """Say how full the backlog is before it is full."""
    response.headers[BACKLOG_HEADER] = f"{crowded:.0%}"
    return response


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


@resource.get("/backlog", scope=Scope.EVENTS_READ)
def show_backlog(caller: Caller, query: BacklogQuery) -> BacklogAnswer:
    """How much waits for the slowest destination of a user, and the most that may.

    At that limit new events of the user are refused with 429. From 80 % on the answer to sent events says so
    in the header Hitchpost-Backlog, and the user and the admins are told.
    """
    with caller.runtime.database.read() as session:
        found = backlog_of(caller.runtime, session, require_user(session, caller, query.user))
    return BacklogAnswer.model_validate(found)


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
