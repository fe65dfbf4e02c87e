"""The page behind the link of a notice: one button, which begins the reconnect of one connection."""

from flask import Blueprint, render_template
from werkzeug.wrappers import Response

from webapp.core import connect_sessions, sessions
from webapp.errors import Conflict, NotFound
from webapp.lib.secret import Secret
from webapp.ui import _session
from webapp.ui._headers import send_no_referrer
from webapp.ui._lists import provider_titles
from webapp.ui._session import public_page
from webapp.ui._throttle import Rule, count_try
from webapp.ui._vendors import allow_form_to_vendor
from webapp.ui.connect import begin_at

blueprint = Blueprint("reconnect", __name__)

_TRIES = Rule("reconnect", "60 per 5 minutes")


@blueprint.get("/reconnect/<link>")
@public_page
def page(link: str) -> str | tuple[str, int]:
    """What the link is about, and one button. Opening it does nothing: mail scanners open every link."""
    count_try(_TRIES)
    send_no_referrer()
    runtime = _session.runtime()
    try:
        with runtime.database.read() as transaction:
            connection, user = connect_sessions.look_by_notice(transaction, runtime.settings, Secret(link))
    except NotFound:
        return _over()
    except Conflict:
        return render_template("reconnect/done.html")
    allow_form_to_vendor(connection.provider)
    who = _session.current()
    return render_template(
        "reconnect/page.html",
        link=link,
        connection=connection,
        user=user,
        other=who if who and who.user.id != user.id else None,
        title_of=provider_titles(),
    )


@blueprint.post("/reconnect/<link>")
@public_page
def enter(link: str) -> Response | str | tuple[str, int]:
    """Begin it as the owner: in their own session if this browser has one, else in a connect session."""
    count_try(_TRIES)
    send_no_referrer()
    runtime, before = _session.runtime(), _session.current()
    value = None
    try:
        with runtime.database.write() as transaction:
            connection, user = connect_sessions.look_by_notice(transaction, runtime.settings, Secret(link))
            if before is None or before.user.id != user.id:
                value = connect_sessions.open_by_notice(transaction, runtime.settings, Secret(link))
                if before is not None:
                    sessions.close(transaction, before.session_row.id)
    except NotFound:
        return _over()
    except Conflict:
        return render_template("reconnect/done.html")
    if value is not None:
        _session.begin(value)
    return begin_at(connection.provider, connection.id)


def _over() -> tuple[str, int]:
    address = _session.runtime().settings.continue_url
    return render_template("sign_in/link_over.html", kind="link to reconnect", continue_url=address), 404
