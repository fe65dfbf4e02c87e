"""What a person can do to a connection: each a button, each followed by the connection's page."""

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webapp.core import connections
from webapp.core.audit import Actor
from webapp.core.events import send_test_event
from webapp.core.queries.connection import find_connection, require_connection
from webapp.core.queries.connections import ConnectionState
from webapp.core.queries.kinds import refuse_overlong, what_we_made
from webapp.core.runtime import Bell
from webapp.errors import Conflict, Invalid, VendorError
from webapp.ui._forms import Form, text, with_faults
from webapp.ui._lists import owner_of, provider_titles
from webapp.ui._session import connect_page, runtime, viewer
from webapp.ui.connections import disconnect_page

blueprint = Blueprint("connection_acts", __name__, url_prefix="/connections/<uuid:connection_id>")

Act = Callable[[Session, Actor, UUID], None]


@blueprint.post("/refresh")
@connect_page
def refresh(connection_id: UUID) -> Response:
    """Refresh the access token soon."""
    return _do(connection_id, connections.refresh_now, Bell.REFRESH, "The access token is being refreshed.")


@blueprint.post("/environments")
@connect_page
def environments(connection_id: UUID) -> Response:
    """Fetch the list of environments soon."""
    said = "The environments are being fetched."
    return _do(connection_id, connections.refetch_environments, Bell.ENVIRONMENTS, said)


@blueprint.post("/pause")
@connect_page
def pause(connection_id: UUID) -> Response:
    """Stop forwarding; events wait."""
    said = "Paused. New events wait here until you resume."
    return _do(connection_id, connections.pause, None, said)


@blueprint.post("/resume")
@connect_page
def resume(connection_id: UUID) -> Response:
    """Forward again, from where it stood."""
    said = "Resumed. What waited is being sent now, in order."
    return _do(connection_id, connections.resume, Bell.DELIVERY, said)


@blueprint.post("/disconnect")
@connect_page
def disconnect(connection_id: UUID) -> str | tuple[str, int]:
    """End it, and say what is left to do at the vendor."""
    with runtime().database.read() as session:
        connection = require_connection(session, owner_of(viewer()), connection_id)
    _, fields = what_we_made(runtime(), connection.provider, connection.details)
    given = {field.name: text(field.name) for field in fields}
    try:
        refuse_overlong(fields, given)
        farewell = connections.disconnect(runtime(), viewer().actor, connection_id, given=given)
    except Invalid as error:
        return disconnect_page(connection_id, with_faults(error)), 422
    except VendorError as error:
        told = f"The vendor could not be asked ({error}). Nothing was changed; try again, or leave it empty."
        return disconnect_page(connection_id, Form(), told), 503
    with runtime().database.read() as session:
        detail = find_connection(session, owner_of(viewer()), connection_id)
    return render_template(
        "connections/disconnected.html",
        connection=connection,
        revoking_until=detail.revoking_until,
        farewell=farewell,
        title_of=provider_titles(),
    )


@blueprint.post("/test")
@connect_page
def test(connection_id: UUID) -> Response:
    """Send a test event along the owner's stream and show where it is."""
    with runtime().database.read() as session:
        connection = require_connection(session, owner_of(viewer()), connection_id)
    if connection.state is ConnectionState.DISCONNECTED:
        raise Conflict("This connection is disconnected: connect it again first.")
    event_id = send_test_event(runtime(), connection.user_id, viewer().user.label)
    return redirect(url_for("events.show", event_id=event_id, connection=connection_id), 303)


def _do(connection_id: UUID, act: Act, bell: Bell | None, said: str) -> Response:
    with runtime().database.write() as session:
        require_connection(session, owner_of(viewer()), connection_id)
        act(session, viewer().actor, connection_id)
    if bell is not None:
        runtime().wake(bell)
    flash(said, "success")
    return redirect(url_for("connections.show", connection_id=connection_id), 303)
