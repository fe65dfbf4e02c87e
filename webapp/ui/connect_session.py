"""The way in for a host app's own users: a one-time link opens a session that can only connect."""

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response

from webapp.core import connect_sessions, sessions
from webapp.errors import NotFound
from webapp.lib.secret import Secret
from webapp.ui import _session
from webapp.ui._headers import send_no_referrer
from webapp.ui._session import public_page
from webapp.ui._throttle import Rule, count_try

blueprint = Blueprint("connect_session", __name__)

_TRIES = Rule("connect-session", "60 per 5 minutes")


@blueprint.get("/connect/session/<link>")
@public_page
def page(link: str) -> str | tuple[str, int]:
    """A page with one button, which a script presses unless another person is signed in in this browser.

    Opening it spends nothing: only the button's POST does.
    """
    count_try(_TRIES)
    send_no_referrer()
    try:
        with _session.runtime().database.read() as transaction:
            _, user = connect_sessions.look(transaction, Secret(link))
    except NotFound:
        return _over()
    who = _session.current()
    other = who if who and who.user.id != user.id else None
    return render_template("connect_session/page.html", link=link, user=user, other=other)


@blueprint.post("/connect/session/<link>")
@public_page
def enter(link: str) -> Response | tuple[str, int]:
    """Spend the link and go on to connect; what this browser's session was before is over."""
    count_try(_TRIES)
    send_no_referrer()
    before = _session.current()
    try:
        with _session.runtime().database.write() as transaction:
            value = connect_sessions.redeem(transaction, Secret(link))
            if before:
                sessions.close(transaction, before.session_row.id)
    except NotFound:
        return _over()
    _session.begin(value)
    return redirect(url_for("connect.index"), 303)


def _over() -> tuple[str, int]:
    address = _session.runtime().settings.continue_url
    return render_template("sign_in/link_over.html", kind="link", continue_url=address), 404
