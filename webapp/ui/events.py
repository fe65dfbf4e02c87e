"""Events: the latest of a user, and where one of them is."""

from uuid import UUID

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Redirect

from webapp.core.queries.backlogs import backlog_of
from webapp.core.queries.connection import require_connection
from webapp.core.queries.events import (
    EventRow,
    find_by_identity,
    find_event,
    is_public_id,
    list_events,
    list_streams,
)
from webapp.core.queries.places import UNSETTLED, Place, places_of
from webapp.core.users import User, find_by_name
from webapp.errors import Fault, NotFound
from webapp.ui._forms import Form
from webapp.ui._lists import after, owner_of, words
from webapp.ui._session import connect_page, member_page, runtime, viewer

blueprint = Blueprint("events", __name__, url_prefix="/events")

#: The status that tells htmx to stop asking.
_STOP_POLLING = 286


@blueprint.get("")
@member_page
def index() -> str | Redirect | tuple[str, int]:
    """The viewer's latest events; for an admin whose they choose, or the busiest streams."""
    if request.args.get("event"):
        return _find()
    return _page(Form())


@blueprint.get("/<event_id>")
@connect_page
def show(event_id: str) -> str:
    """Where one event is."""
    event, places = _read(event_id)
    connection_id = _from_connection()
    return render_template(
        "events/show.html", event=event, places=places, live=_live(places), connection_id=connection_id
    )


@blueprint.get("/<event_id>/places")
@connect_page
def places(event_id: str) -> Response:
    """What moves on the page, for htmx."""
    event, found = _read(event_id)
    live = _live(found)
    part = render_template("events/_places.html", event=event, places=found, live=live)
    return Response(part, status=200 if live else _STOP_POLLING)


def _find() -> Redirect | tuple[str, int]:
    """On to the event that was looked for."""
    wanted, source = words("event", 512), words("source", 512) or "app"
    if is_public_id(wanted):
        return redirect(url_for("events.show", event_id=wanted), 303)
    found = None
    whose = _whose()
    if whose is not None:
        with runtime().database.read() as session:
            found = find_by_identity(session, whose.id, source, wanted)
    if found is not None:
        return redirect(url_for("events.show", event_id=found), 303)
    fault = "names no event of this user, or one that is no longer kept"
    if whose is None:
        fault = "needs the user whose event it is, unless it is the id that the API answered with"
    return _page(_typed(Fault("event", fault))), 404


def _page(form: Form) -> str:
    whose = _whose()
    with runtime().database.read() as session:
        page = list_events(session, whose.id, after=after()) if whose else None
        backlog = backlog_of(runtime(), session, whose.id) if whose else None
        streams = () if whose else list_streams(session)
    return render_template(
        "events/index.html", whose=whose, page=page, backlog=backlog, streams=streams, form=form
    )


def _whose() -> User | None:
    """Whose events: the viewer's own, or for an admin the user that the address names."""
    if not viewer().is_admin:
        return viewer().user
    name = words("user")
    if not name:
        return None
    with runtime().database.read() as session:
        user = find_by_name(session, name)
    if user is None:
        raise NotFound
    return user


def _typed(fault: Fault) -> Form:
    names = ("event", "source", "user")
    return Form(values={name: words(name, 512) for name in names}, faults={fault.where: fault.what})


def _read(event_id: str) -> tuple[EventRow, tuple[Place, ...]]:
    with runtime().database.read() as session:
        event = find_event(session, owner_of(viewer()), event_id)
        return event, places_of(session, event)


def _live(places: tuple[Place, ...]) -> bool:
    """Whether something may still change by itself."""
    return any(place.standing in UNSETTLED for place in places)


def _from_connection() -> UUID | None:
    """The connection that the viewer came from, if it is theirs."""
    try:
        connection_id = UUID(request.args.get("connection", ""))
        with runtime().database.read() as session:
            return require_connection(session, owner_of(viewer()), connection_id).id
    except (ValueError, NotFound):
        return None
