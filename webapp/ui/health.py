"""Health, for admins: what is due, who works, what is held back, and what people were told."""

from flask import Blueprint, render_template

from webapp.core.queries.connections import ConnectionState
from webapp.core.queries.health import read_health
from webapp.ui._session import admin_page, runtime

blueprint = Blueprint("health", __name__, url_prefix="/admin/health")


@blueprint.get("")
@admin_page
def page() -> str:
    """The whole instance at a glance."""
    return render_template("admin/health.html", health=_read(), states=ConnectionState)


@blueprint.get("/part")
@admin_page
def part() -> str:
    """What moves on the page, for htmx."""
    return render_template("admin/_health.html", health=_read(), states=ConnectionState)


def _read() -> object:
    with runtime().database.read() as session:
        return read_health(session)
