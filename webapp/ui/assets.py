"""Files that come with installed packages: htmx, served from here so that nothing comes from elsewhere."""

from importlib.resources import files

from flask import Blueprint, Response, send_from_directory

from webapp.ui._session import public_page

blueprint = Blueprint("assets", __name__)

_HTMX = str(files("js_lib_htmx") / "static" / "htmx")


@blueprint.get("/assets/htmx.min.js")
@public_page
def htmx() -> Response:
    """The htmx library."""
    return send_from_directory(_HTMX, "htmx.min.js")
