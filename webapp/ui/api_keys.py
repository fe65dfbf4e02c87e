"""API keys, for admins: made, shown once, revoked."""

from datetime import timedelta
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webapp.core import api_keys, users
from webapp.core.api_keys import Scope
from webapp.core.queries.people import list_api_keys
from webapp.errors import Fault, Invalid
from webapp.lib import clock
from webapp.ui._forms import Form, text, with_faults
from webapp.ui._session import admin_page, require_recent, runtime, viewer

blueprint = Blueprint("api_keys", __name__, url_prefix="/admin/api-keys")

#: What the form offers, in days; 0 = for good.
LIFETIMES = {"30": "30 days", "90": "90 days", "365": "A year", "0": "Until revoked"}

#: What each scope lets a key do, in the words of the page.
SCOPE_WORDS = {
    Scope.EVENTS_WRITE: "send events",
    Scope.EVENTS_READ: "ask where an event is, read dead letters",
    Scope.CONNECTIONS_READ: "see connections and their states",
    Scope.CONNECTIONS_WRITE: "refresh and disconnect connections",
    Scope.CREDENTIALS_READ: "be handed a vendor's access token",
    Scope.CONNECT_SESSIONS: "let the app's own users connect",
    Scope.DESTINATIONS_WRITE: "pause, rewind, replay",
    Scope.SOURCES: "make and end sources, change their secrets",
    Scope.USERS_DELETE: "see what is here of a user, and delete them with everything of theirs",
}


@blueprint.get("")
@admin_page
def index() -> str:
    """The list, with the form for a new key."""
    return _page(Form())


@blueprint.post("")
@admin_page
def create() -> str | tuple[str, int]:
    """Make a key; the answer shows it, once."""
    require_recent(back_to=url_for("api_keys.index"))
    try:
        scopes, lifetime = _scopes(), _lifetime()
        with runtime().database.write() as session:
            key, secret = api_keys.create(
                session,
                viewer().actor,
                text("name"),
                scopes,
                user_id=_bound_to(session),
                expires_at=clock.now() + lifetime if lifetime else None,
            )
    except Invalid as error:
        return _page(with_faults(error, "name", "user", "lifetime")), 422
    url = runtime().settings.public_url
    return render_template("api_keys/made.html", key=key, secret=secret.reveal(), url=url)


@blueprint.post("/<uuid:key_id>/revoke")
@admin_page
def revoke(key_id: UUID) -> Response:
    """Let a key in no more."""
    require_recent(back_to=url_for("api_keys.index"))
    with runtime().database.write() as session:
        key = api_keys.revoke(session, viewer().actor, key_id)
    flash(f"The key “{key.name}” is revoked: it works nowhere within a second.")
    return redirect(url_for("api_keys.index"), 303)


def _scopes() -> list[Scope]:
    try:
        return [Scope(word) for word in request.form.getlist("scopes")]
    except ValueError:
        raise Invalid([Fault("scopes", "names a scope that does not exist")]) from None


def _lifetime() -> timedelta | None:
    days = text("lifetime")
    if days not in LIFETIMES:
        raise Invalid([Fault("lifetime", "is none of those offered")])
    return timedelta(days=int(days)) if days != "0" else None


def _bound_to(session: Session) -> UUID | None:
    """The user whom the form names by e-mail address or external id."""
    name = text("user")
    if not name:
        return None
    user = users.find_by_name(session, name)
    if user is None:
        raise Invalid([Fault("user", "is nobody's e-mail address or external id here")])
    return user.id


def _page(form: Form) -> str:
    with runtime().database.read() as session:
        keys = list_api_keys(session, after=request.args.get("after"))
    return render_template(
        "api_keys/index.html",
        keys=keys,
        form=form,
        scope_words=SCOPE_WORDS,
        chosen=request.form.getlist("scopes") or [Scope.EVENTS_WRITE.value],
        lifetimes=list(LIFETIMES.items()),
        now=clock.now(),
    )
