"""The places that every page's head names, and which of them this page belongs to."""

from dataclasses import dataclass

from flask import Flask, request, url_for

from webapp.ui._session import current


@dataclass(frozen=True, slots=True)
class Place:
    """A link in the head: `here` when the page belongs to it, `exact` when it is the page itself."""

    title: str
    href: str
    here: bool
    exact: bool


@dataclass(frozen=True, slots=True)
class _Row:
    title: str
    endpoint: str
    #: the page modules (blueprints) that belong to it
    modules: frozenset[str]


_PLACES = (
    _Row("Connect", "connect.index", frozenset({"connect", "install", "connect_session", "reconnect"})),
    _Row(
        "Connections",
        "connections.index",
        frozenset({"connections", "connection_acts", "forward", "destinations"}),
    ),
    _Row("Events", "events.index", frozenset({"events", "dead_letters", "sources"})),
)
_ADMIN = (
    _Row("Health", "health.page", frozenset({"health"})),
    _Row("People", "people.index", frozenset({"people"})),
    _Row("API keys", "api_keys.index", frozenset({"api_keys"})),
    _Row("Told", "told.index", frozenset({"told"})),
    _Row("Audit", "audit.index", frozenset({"audit"})),
)
_ADMIN_PLACE = _Row("Admin", "health.page", frozenset().union(*(row.modules for row in _ADMIN)))
#: What a connect session reaches.
_CONNECT_SESSION = frozenset({"Connect", "Connections"})


def menu() -> list[Place]:
    """The places that this viewer may go to."""
    who = current()
    if who is None:
        return []
    rows = [*_PLACES, _ADMIN_PLACE] if who.is_admin else list(_PLACES)
    return [_place(row) for row in rows if who.signed_in_here or row.title in _CONNECT_SESSION]


def admin_menu() -> list[Place]:
    """The rooms of Admin."""
    return [_place(row) for row in _ADMIN]


def add_menus(app: Flask) -> None:
    """Give the places to `app`'s templates."""
    app.jinja_env.globals.update(menu=menu, admin_menu=admin_menu)


def _place(row: _Row) -> Place:
    return Place(
        title=row.title,
        href=url_for(row.endpoint),
        here=request.blueprint in row.modules,
        exact=request.endpoint == row.endpoint,
    )
