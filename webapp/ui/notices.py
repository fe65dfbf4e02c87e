"""Notices: what a person was told stands above their connections until they put it away."""

from uuid import UUID

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response

from webapp.core import notices
from webapp.ui._session import connect_page, runtime, viewer

blueprint = Blueprint("notices", __name__, url_prefix="/notices")


@blueprint.post("/<uuid:notice_id>/away")
@connect_page
def put_away(notice_id: UUID) -> Response:
    """It was read."""
    who = viewer()
    with runtime().database.write() as session:
        notices.put_away(session, who.actor, notice_id, who.user.id, is_admin=who.is_admin)
    return redirect(url_for("connections.index"), 303)
