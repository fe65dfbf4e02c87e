"""Invitations: an invited person opens a one-time link and chooses a password."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp.core import sessions, users
from webapp.core.sessions import SessionKind
from webapp.core.users import User
from webapp.errors import Fault, Invalid, NotFound
from webapp.lib.secret import Secret
from webapp.ui import _session
from webapp.ui._forms import Form, with_faults
from webapp.ui._headers import send_no_referrer
from webapp.ui._session import public_page
from webapp.ui._throttle import Rule, count_try

blueprint = Blueprint("invite", __name__)

_TRIES = Rule("invite", "30 per 5 minutes")


@blueprint.get("/invite/<link>")
@public_page
def page(link: str) -> str | tuple[str, int]:
    """Who is invited, and the form. Opening it spends nothing: mail scanners open links too."""
    count_try(_TRIES)
    send_no_referrer()
    try:
        with _session.runtime().database.read() as transaction:
            user = users.invited(transaction, Secret(link))
    except NotFound:
        return _over()
    return _form(user, link, Form())


@blueprint.post("/invite/<link>")
@public_page
def accept(link: str) -> Response | str | tuple[str, int]:
    """Keep the password, spend the link, and sign the person in."""
    count_try(_TRIES)
    send_no_referrer()
    password = request.form.get("password", "")
    try:
        if password != request.form.get("repeated", ""):
            raise Invalid([Fault("repeated", "differs from the first one")])
        user = users.accept_invite(_session.runtime(), Secret(link), Secret(password))
    except Invalid as error:
        with _session.runtime().database.read() as transaction:
            user = users.invited(transaction, Secret(link))
        return _form(user, link, with_faults(error)), 422
    except NotFound:
        return _over()
    before = _session.current()
    with _session.runtime().database.write() as transaction:
        if before:
            sessions.close(transaction, before.session_row.id)
        value = sessions.open(transaction, user.id, SessionKind.LOGIN)
    _session.begin(value)
    flash("Welcome. Your password is set and you are signed in.")
    return redirect(url_for("home.page"), 303)


def _form(user: User, link: str, form: Form) -> str:
    return render_template("sign_in/invite.html", invited=user, link=link, form=form)


def _over() -> tuple[str, int]:
    return render_template("sign_in/link_over.html", kind="invitation"), 404
