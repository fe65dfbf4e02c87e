"""Connect: the vendors side by side, and the first step towards one of them."""

from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp.core import installs
from webapp.core.queries.connections import ConnectionQuery, ConnectionState, list_connections
from webapp.core.queries.kinds import (
    FormProvider,
    Provider,
    connects_by_form,
    connects_by_request,
    form_of,
    promises_of,
    provider_named,
    refuse_overlong,
)
from webapp.errors import Invalid, VendorError
from webapp.ui._browsers import candidates_here
from webapp.ui._forms import Form, with_faults
from webapp.ui._headers import send_no_referrer
from webapp.ui._lists import provider_titles
from webapp.ui._session import connect_page, runtime, viewer
from webapp.ui._throttle import Rule, count_try
from webapp.ui._vendors import allow_form_to_vendor

blueprint = Blueprint("connect", __name__, url_prefix="/connect")

#: Each paste, and each authorization request, may be a call to a vendor.
_PASTES = Rule("connect-pastes", "30 per minute")


@dataclass(frozen=True, slots=True)
class Card:
    """A vendor on the page, how one connects to it, and what the viewer has there already."""

    provider: Provider
    by_install: bool
    by_form: bool
    promises: tuple[tuple[str, str], ...]
    connected: int


@blueprint.get("")
@connect_page
def index() -> str:
    """Every vendor: what it needs, what it will do, what it will never do."""
    who = viewer()
    with runtime().database.read() as session:
        intent = installs.open_intent(session, who.session_row)
        mine = list_connections(session, ConnectionQuery(owner_id=who.user.id)).rows
    held = [row.provider for row in mine if row.state is not ConnectionState.DISCONNECTED]
    cards = [_card(provider, held.count(name)) for name, provider in runtime().providers.items()]
    return render_template(
        "connect/index.html",
        cards=cards,
        intent=intent,
        waiting=candidates_here(),
        title_of=provider_titles(),
    )


@blueprint.get("/<provider>")
@connect_page
def form(provider: str) -> str:
    """The fields that this vendor's credentials are pasted into."""
    return _form_page(form_of(runtime(), provider), Form())


@blueprint.post("/<provider>")
@connect_page
def check(provider: str) -> Response | tuple[str, int]:
    """Check what was pasted with the vendor, and go on to what it was found to be."""
    found = form_of(runtime(), provider)
    values = {field.name: request.form.get(field.name, "")[: field.max_length + 1] for field in found.form}
    count_try(_PASTES)
    try:
        refuse_overlong(found.form, values)
        install_id = installs.paste(
            runtime(), viewer().session_row, provider, values, connection_id=_connection_asked()
        )
    except Invalid as error:
        shown_again = [field.name for field in found.form if not field.secret]
        return _form_page(found, with_faults(error, *shown_again)), 422
    except VendorError as error:
        told = f"{found.title} could not be asked ({error}). Nothing was stored; try again in a moment."
        return _form_page(found, Form(), told), 503
    return redirect(url_for("install.show", install_id=install_id), 303)


@blueprint.post("/<provider>/install")
@connect_page
def install(provider: str) -> Response | str:
    """Note that this person wants it, then go to the vendor's own page; or to the form to paste into."""
    return begin_at(provider, None)


@blueprint.post("/<provider>/reconnect/<uuid:connection_id>")
@connect_page
def reconnect(provider: str, connection_id: UUID) -> Response | str:
    """The same for a connection that is there: it keeps its destinations and its places in the stream."""
    return begin_at(provider, connection_id)


def begin_at(provider: str, connection_id: UUID | None) -> Response | str:
    """To the vendor's own page, or to its form, as a renewal of that connection if there is one."""
    found = provider_named(runtime(), provider)
    if connects_by_form(found):
        return redirect(url_for("connect.form", provider=provider, connection=connection_id), 303)
    if connects_by_request(found):
        count_try(_PASTES)
    try:
        begun = installs.ask(runtime(), viewer().session_row, found, connection_id=connection_id)
    except VendorError as error:
        flash(f"{found.title} could not be asked: {error}. Nothing was begun.", "error")
        return redirect(url_for("connect.index"), 303)
    if not begun.leaves_by_page:
        return redirect(begun.address, 303)
    send_no_referrer()
    return render_template("connect/leave.html", vendor=found.title, address=begun.address)


def _connection_asked() -> UUID | None:
    """The connection that is to be renewed, if the address names one."""
    return request.args.get("connection", type=UUID)


def _form_page(provider: FormProvider, filled: Form, trouble: str = "") -> str:
    return render_template(
        "connect/form.html",
        provider=provider,
        form=filled,
        promises=promises_of(provider),
        connection_id=_connection_asked(),
        trouble=trouble,
    )


def _card(provider: Provider, connected: int) -> Card:
    by_install = allow_form_to_vendor(provider.name) or connects_by_request(provider)
    return Card(provider, by_install, connects_by_form(provider), promises_of(provider), connected)
