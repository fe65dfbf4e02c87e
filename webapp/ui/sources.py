"""Sources: what GitHub sends of deployments, let in by its signature; made, shown once, ended."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webapp.core import sources, users
from webapp.core.queries.sources import list_sources
from webapp.errors import Fault, Invalid
from webapp.lib import clock
from webapp.ui._forms import Form, text, with_faults
from webapp.ui._lists import owner_of
from webapp.ui._session import member_page, require_recent, runtime, viewer

blueprint = Blueprint("sources", __name__, url_prefix="/sources")


@blueprint.get("")
@member_page
def index() -> str:
    """Those of the viewer, for an admin everybody's, with the form for a new one."""
    return _page(Form())


@blueprint.post("")
@member_page
def create() -> str | tuple[str, int]:
    """Make one; the answer shows its address and secret, once."""
    require_recent(back_to=url_for("sources.index"))
    try:
        with runtime().database.write() as session:
            made = sources.make(session, runtime().vault, viewer().actor, _whose(session), text("name"))
    except Invalid as error:
        return _page(with_faults(error, "name", "user")), 422
    return _show(made)


@blueprint.post("/<uuid:source_id>/secret")
@member_page
def change_secret(source_id: UUID) -> str:
    """Make a new secret; the answer shows it, once."""
    require_recent(back_to=url_for("sources.index"))
    with runtime().database.write() as session:
        made = sources.change_secret(session, runtime().vault, viewer().actor, owner_of(viewer()), source_id)
    return _show(made)


@blueprint.post("/<uuid:source_id>/end")
@member_page
def end(source_id: UUID) -> Response:
    """Take nothing more from it."""
    require_recent(back_to=url_for("sources.index"))
    with runtime().database.write() as session:
        source = sources.end(session, viewer().actor, owner_of(viewer()), source_id)
    flash(f"The source “{source.name}” has ended: nothing more is taken from it.")
    return redirect(url_for("sources.index"), 303)


def _whose(session: Session) -> UUID:
    """The viewer, or whom an admin names."""
    name = text("user") if viewer().is_admin else ""
    if not name:
        return viewer().user.id
    user = users.find_by_name(session, name)
    if user is None:
        raise Invalid([Fault("user", "is nobody's e-mail address or external id here")])
    return user.id


def _show(made: sources.Made) -> str:
    address = url_for("api_github.deliver", source_id=made.source.id)
    return render_template(
        "sources/made.html",
        source=made.source,
        secret=made.secret.reveal(),
        address=runtime().settings.public_url + address,
    )


def _page(form: Form) -> str:
    with runtime().database.read() as session:
        found = list_sources(session, owner_of(viewer()), after=request.args.get("after"))
    return render_template("sources/index.html", found=found, form=form, now=clock.now())
