"""People, for admins: who may sign in, by invitation; who may no longer; and who administers."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp.core import users
from webapp.core.queries.people import list_people
from webapp.core.users import Role
from webapp.errors import Conflict, Fault, Invalid
from webapp.lib.secret import Secret
from webapp.ui._forms import Form, text, with_faults
from webapp.ui._session import admin_page, require_recent, runtime, viewer

blueprint = Blueprint("people", __name__, url_prefix="/admin/people")


@blueprint.get("")
@admin_page
def index() -> str:
    """The list, with the invitation form."""
    return _page(Form())


@blueprint.post("")
@admin_page
def invite() -> str | tuple[str, int]:
    """Invite somebody; the answer shows the link, once."""
    _require_recent()
    try:
        with runtime().database.write() as session:
            user, link = users.invite(session, viewer().actor, text("email"), _role())
    except Invalid as error:
        return _page(with_faults(error, "email", "role")), 422
    except Conflict as error:
        return _page(with_faults(Fault("email", str(error).rstrip(".")), "email", "role")), 409
    return _link_page(user.label, link)


@blueprint.post("/<uuid:user_id>/link")
@admin_page
def new_link(user_id: UUID) -> str:
    """A link by which this person chooses a new password; the answer shows it, once."""
    _require_recent()
    with runtime().database.write() as session:
        user, link = users.make_password_link(session, viewer().actor, user_id)
    return _link_page(user.label, link)


@blueprint.post("/<uuid:user_id>/disable")
@admin_page
def disable(user_id: UUID) -> Response:
    """Let this person in no more."""
    _require_recent()
    with runtime().database.write() as session:
        users.disable(session, viewer().actor, user_id)
    return _back("Disabled. Every session of theirs is over; their connections go on.")


@blueprint.post("/<uuid:user_id>/enable")
@admin_page
def enable(user_id: UUID) -> Response:
    """Let this person in again."""
    _require_recent()
    with runtime().database.write() as session:
        users.enable(session, viewer().actor, user_id)
    return _back("Enabled: they can sign in again.")


@blueprint.post("/<uuid:user_id>/role")
@admin_page
def change_role(user_id: UUID) -> Response:
    """Make this person an admin, or a member."""
    _require_recent()
    role = _role()
    with runtime().database.write() as session:
        users.change_role(session, viewer().actor, user_id, role)
    return _back(f"Now {role.value}; they have to sign in again.")


def _require_recent() -> None:
    require_recent(back_to=url_for("people.index"))


def _role() -> Role:
    try:
        return Role(text("role"))
    except ValueError:
        raise Invalid([Fault("role", "is neither member nor admin")]) from None


def _page(form: Form) -> str:
    search = request.args.get("search", "")
    with runtime().database.read() as session:
        people = list_people(session, search=search, after=request.args.get("after"))
    return render_template("people/index.html", people=people, search=search, form=form)


def _link_page(label: str, link: Secret) -> str:
    address = runtime().settings.public_url + url_for("invite.page", link=link.reveal())
    return render_template("people/link.html", label=label, address=address)


def _back(message: str) -> Response:
    flash(message)
    return redirect(url_for("people.index"), 303)
