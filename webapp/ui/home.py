"""The front door: on to the connections, or to the sign-in."""

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response

from webapp.ui._session import current, public_page

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
@public_page
def page() -> Response:
    """On to where this person left off."""
    return redirect(url_for("connections.index" if current() else "sign_in.page"), 303)
