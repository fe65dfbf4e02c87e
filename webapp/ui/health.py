"""Health, for admins: what is due, who works, what is held back, and what people were told."""

from typing import Any

from flask import Blueprint, render_template

from webapp.core.queries.backlogs import fullest_backlog
from webapp.core.queries.connections import ConnectionState
from webapp.core.queries.health import read_health
from webapp.core.queries.ledgers import count_wrong
from webapp.ui._session import admin_page, runtime

blueprint = Blueprint("health", __name__, url_prefix="/admin/health")


@blueprint.get("")
@admin_page
def page() -> str:
    """The whole instance at a glance."""
    return render_template("admin/health.html", **_read())


@blueprint.get("/part")
@admin_page
def part() -> str:
    """What moves on the page, for htmx."""
    return render_template("admin/_health.html", **_read())


def _read() -> dict[str, Any]:
    with runtime().database.read() as session:
        return {
            "health": read_health(session),
            "fullest": fullest_backlog(runtime(), session),
            "wrong_ledgers": count_wrong(session),
            "states": ConnectionState,
        }
