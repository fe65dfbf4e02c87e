"""Told, for admins: every mail and webhook that left the house, or is to, and what was answered."""

from urllib.parse import urlsplit
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from webapp.core import notices
from webapp.core.queries.errands import ErrandQuery, ErrandState, Way, count_errands, list_errands
from webapp.core.runtime import Bell
from webapp.ui._lists import after, chosen, chosen_id, words
from webapp.ui._session import admin_page, runtime, viewer

blueprint = Blueprint("told", __name__, url_prefix="/admin/told")


@blueprint.get("")
@admin_page
def index() -> str:
    """Newest first, by state, way, kind or connection."""
    query = ErrandQuery(
        state=chosen(ErrandState, "state"),
        way=chosen(Way, "way"),
        kind=words("kind") or None,
        connection_id=chosen_id("connection"),
        after=after(),
    )
    settings = runtime().settings
    with runtime().database.read() as session:
        page, counts = list_errands(session, query), count_errands(session)
        shut = notices.is_shut(session, settings)
    return render_template(
        "admin/told.html",
        query=query,
        page=page,
        counts=counts,
        shut=shut,
        ways=notices.ways_set_up(runtime()),
        app_host=urlsplit(settings.webhook_url).hostname,
        states=ErrandState,
        all_ways=Way,
    )


@blueprint.post("/<uuid:errand_id>/retry")
@admin_page
def retry(errand_id: UUID) -> Response:
    """Try it now, and for three days more if need be."""
    with runtime().database.write() as session:
        notices.retry_now(session, viewer().actor, errand_id)
    return _back("It is tried now.")


@blueprint.post("/open")
@admin_page
def open_endpoint() -> Response:
    """Send to the host app's address again."""
    with runtime().database.write() as session:
        notices.open_again(session, viewer().actor, runtime().settings)
    return _back("Webhooks are sent again, what waits first.")


@blueprint.post("/test")
@admin_page
def test() -> Response:
    """Send a test to the viewer and to the host app."""
    with runtime().database.write() as session:
        notices.ask_test(session, viewer().actor, notices.ways_set_up(runtime()), [viewer().user.id])
    return _back("A test is on its way: below is what becomes of it.")


def _back(said: str) -> Response:
    runtime().wake(Bell.NOTICES)
    flash(said)
    return redirect(url_for("told.index"), 303)
