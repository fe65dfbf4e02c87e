"""Connect: the vendors side by side, and the first step towards one of them."""

from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, redirect, render_template
from werkzeug.wrappers import Response

from webapp.core import installs
from webapp.core.queries.connections import ConnectionQuery, ConnectionState, list_connections
from webapp.core.queries.kinds import (
    Provider,
    connects_by_form,
    promises_of,
    provider_named,
)
from webapp.ui._browsers import candidates_here
from webapp.ui._lists import provider_titles
from webapp.ui._session import connect_page, runtime, viewer
from webapp.ui._vendors import allow_form_to_vendor

blueprint = Blueprint("connect", __name__, url_prefix="/connect")


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


@blueprint.post("/<provider>/install")
@connect_page
def install(provider: str) -> Response:
    """Note that this person wants it, then go to the vendor's own page."""
    return _begin(provider, None)


@blueprint.post("/<provider>/reconnect/<uuid:connection_id>")
@connect_page
def reconnect(provider: str, connection_id: UUID) -> Response:
    """The same for a connection that is there: it keeps its destinations and its places in the stream."""
    return _begin(provider, connection_id)


def _begin(provider: str, connection_id: UUID | None) -> Response:
    found = provider_named(runtime(), provider)
    with runtime().database.write() as session:
        begun = installs.begin(session, viewer().session_row, found, connection_id=connection_id)
    return redirect(begun.address, 303)


def _card(provider: Provider, connected: int) -> Card:
    by_install = allow_form_to_vendor(provider.name)
    return Card(provider, by_install, connects_by_form(provider), promises_of(provider), connected)
