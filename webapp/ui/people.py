"""People, for admins: who may sign in, by invitation; who may no longer; and who administers."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp.core import deletion, users
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


@blueprint.get("/<uuid:user_id>/delete")
@admin_page
def ask_delete(user_id: UUID) -> str:
    """What would go with this person, before anybody says yes to it."""
    return _delete_page(user_id, Form())


@blueprint.post("/<uuid:user_id>/delete")
@admin_page
def delete(user_id: UUID) -> Response | tuple[str, int]:
    """Delete this person with everything of theirs, once their name is typed."""
    require_recent(back_to=url_for("people.ask_delete", user_id=user_id))
    try:
        with runtime().database.write() as session:
            loss = deletion.begin(session, viewer().actor, user_id, typed=text("name"))
    except Invalid as error:
        return _delete_page(user_id, with_faults(error, "name")), 422
    return _back(f"{loss.label} is being deleted. The rest of theirs goes within minutes.")


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


def _delete_page(user_id: UUID, form: Form) -> str:
    with runtime().database.read() as session:
        loss = deletion.read_loss(session, user_id)
    return render_template("people/delete.html", loss=loss, form=form)


def _link_page(label: str, link: Secret) -> str:
    address = runtime().settings.public_url + url_for("invite.page", link=link.reveal())
    return render_template("people/link.html", label=label, address=address)


def _back(message: str) -> Response:
    flash(message)
    return redirect(url_for("people.index"), 303)
