"""Sign in, sign out, and prove again who you are."""

import hashlib

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp.core import sessions, users
from webapp.core.sessions import SessionKind
from webapp.errors import Forbidden
from webapp.lib.secret import Secret
from webapp.ui import _session
from webapp.ui._addresses import local, wanted
from webapp.ui._forms import Form, text
from webapp.ui._session import connect_page, member_page, public_page
from webapp.ui._throttle import Rule, count_try

blueprint = Blueprint("sign_in", __name__)

_ONE_ACCOUNT = Rule("sign-in", "10 per 5 minutes")
_ONE_ADDRESS = Rule("sign-in-address", "60 per 5 minutes")


@blueprint.get("/sign-in")
@public_page
def page() -> Response | str:
    """The form; whoever is signed in already goes on."""
    who = _session.current()
    if who and who.signed_in_here:
        return redirect(wanted(), 303)
    return _form(Form())


@blueprint.post("/sign-in")
@public_page
def enter() -> Response | tuple[str, int]:
    """Check e-mail and password; the session that this browser had before is over."""
    email = text("email")
    _count(email)
    try:
        user = users.sign_in(_session.runtime(), email, Secret(request.form.get("password", "")))
    except Forbidden as error:
        return _form(Form({"email": email}), str(error)), 401
    before = _session.current()
    with _session.runtime().database.write() as transaction:
        if before:
            sessions.close(transaction, before.session_row.id)
        value = sessions.open(transaction, user.id, SessionKind.LOGIN)
    _session.begin(value)
    return redirect(wanted(), 303)


@blueprint.post("/sign-out")
@public_page
def out() -> Response:
    """End this session, whether it began by a sign-in or by a connect session."""
    who = _session.current()
    if who:
        with _session.runtime().database.write() as transaction:
            sessions.close(transaction, who.session_row.id)
    _session.end()
    flash("You are signed out.")
    return redirect(url_for("sign_in.page"), 303)


@blueprint.get("/again")
@connect_page
def again() -> str:
    """Ask for the password once more before an act that needs a recent proof."""
    return _again_form()


@blueprint.post("/again")
@member_page
def prove() -> Response | tuple[str, int]:
    """Check the password; the session goes on under a new cookie."""
    who = _session.viewer()
    email = who.user.email or ""
    _count(email)
    try:
        users.sign_in(_session.runtime(), email, Secret(request.form.get("password", "")))
    except Forbidden:
        return _again_form("This is not the password of this account."), 401
    with _session.runtime().database.write() as transaction:
        value = sessions.reauthenticate(transaction, who.session_row.id)
    _session.renew(value)
    return redirect(wanted(), 303)


def _count(email: str) -> None:
    count_try(_ONE_ADDRESS)
    # What was typed may be a password in the wrong field: only its digest becomes a key in Redis.
    count_try(_ONE_ACCOUNT, hashlib.sha256(email.lower().encode()).hexdigest()[:32])


def _form(form: Form, problem: str | None = None) -> str:
    target = local(request.values.get("next"))
    return render_template("sign_in/page.html", form=form, problem=problem, next=target)


def _again_form(problem: str | None = None) -> str:
    target = local(request.values.get("next"))
    return render_template("sign_in/again.html", form=Form(), problem=problem, next=target)
