"""Whom every page is for: the table that the route matrix is generated from. A route without a row fails."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """Who may ask for a route.

    `who`: `public`, `connect` (any session), `member` (a sign-in), `admin`, or `browser` (no session needed,
    but the browser must hold what the address names). `owned`: what its address names is bob's, so that to
    others it does not exist. `admin_too`: admins see it although it is bob's.
    """

    who: str
    owned: bool = False
    admin_too: bool = True
    #: a form that its own page would send
    form: Mapping[str, Any] = field(default_factory=dict)
    #: what variable parts of its address stand for, where the world's own will not do
    things: Mapping[str, str] = field(default_factory=dict)


PUBLIC, CONNECT, MEMBER, ADMIN = Row("public"), Row("connect"), Row("member"), Row("admin")
OWNED = Row("connect", owned=True)
OWN_ONLY = Row("connect", owned=True, admin_too=False)
BROWSER = Row("browser", owned=True, admin_too=False)

#: By method and route; the API has its own table in tests/api.
TABLE: dict[str, Row] = {
    "GET /static/<path:filename>": PUBLIC,
    "GET /bootstrap/static/<path:filename>": PUBLIC,
    "GET /assets/htmx.min.js": PUBLIC,
    "GET /": PUBLIC,
    # signing in and out
    "GET /sign-in": PUBLIC,
    "POST /sign-in": PUBLIC,
    "POST /sign-out": PUBLIC,
    "GET /again": CONNECT,
    "POST /again": MEMBER,
    "GET /invite/<link>": PUBLIC,
    "POST /invite/<link>": PUBLIC,
    "GET /connect/session/<link>": PUBLIC,
    "POST /connect/session/<link>": PUBLIC,
    # connecting
    "GET /reconnect/<link>": PUBLIC,
    "POST /reconnect/<link>": PUBLIC,
    "GET /connect": CONNECT,
    "GET /connect/<provider>": Row("connect", things={"provider": "last9"}),
    "POST /connect/<provider>": Row("connect", things={"provider": "last9"}),
    "POST /connect/<provider>/install": CONNECT,
    "POST /connect/<provider>/reconnect/<uuid:connection_id>": OWN_ONLY,
    "GET /install/<provider>/callback": PUBLIC,
    "GET /install/<provider>/ended/<ending>": PUBLIC,
    "GET /install/<uuid:install_id>": BROWSER,
    "POST /install/<uuid:install_id>/confirm": OWN_ONLY,
    "POST /install/<uuid:install_id>/cancel": BROWSER,
    "POST /install/<uuid:install_id>/prove": OWN_ONLY,
    "POST /install/<uuid:install_id>/check": OWN_ONLY,
    # connections and what hangs on them
    "POST /notices/<uuid:notice_id>/away": OWN_ONLY,
    "GET /connections": CONNECT,
    "GET /connections/<uuid:connection_id>": OWNED,
    "GET /connections/<uuid:connection_id>/disconnect": OWNED,
    "POST /connections/<uuid:connection_id>/refresh": OWNED,
    "POST /connections/<uuid:connection_id>/environments": OWNED,
    "POST /connections/<uuid:connection_id>/pause": OWNED,
    "POST /connections/<uuid:connection_id>/resume": OWNED,
    "POST /connections/<uuid:connection_id>/disconnect": OWNED,
    "POST /connections/<uuid:connection_id>/test": OWNED,
    "GET /connections/<uuid:connection_id>/forward": OWNED,
    "POST /connections/<uuid:connection_id>/forward": OWNED,
    "POST /connections/<uuid:connection_id>/forward/preview/<kind_name>": OWNED,
    "GET /destinations/<uuid:destination_id>": OWNED,
    "GET /destinations/<uuid:destination_id>/part": OWNED,
    "POST /destinations/<uuid:destination_id>/settings": OWNED,
    "POST /destinations/<uuid:destination_id>/preview": OWNED,
    "POST /destinations/<uuid:destination_id>/hold": OWNED,
    "POST /destinations/<uuid:destination_id>/release": OWNED,
    "POST /destinations/<uuid:destination_id>/rewind": OWNED,
    "POST /destinations/<uuid:destination_id>/rewind/count": OWNED,
    # events
    "GET /events": MEMBER,
    "GET /events/<event_id>": OWNED,
    "GET /events/<event_id>/places": OWNED,
    "GET /dead-letters": CONNECT,
    "GET /dead-letters/export": CONNECT,
    "POST /dead-letters/of/<uuid:destination_id>/replay": OWNED,
    "GET /dead-letters/<uuid:letter_id>": OWNED,
    "POST /dead-letters/<uuid:letter_id>/replay": OWNED,
    "POST /dead-letters/<uuid:letter_id>/discard": OWNED,
    # sources
    "GET /sources": MEMBER,
    "POST /sources": Row("member", form={"name": "deploys"}),
    "POST /sources/<uuid:source_id>/secret": Row("member", owned=True),
    "POST /sources/<uuid:source_id>/end": Row("member", owned=True),
    # admin: health, people, keys, what was told, audit
    "GET /admin/health": ADMIN,
    "GET /admin/health/part": ADMIN,
    "GET /admin/people": ADMIN,
    "POST /admin/people": Row("admin", form={"email": "new@example.org", "role": "member"}),
    "POST /admin/people/<uuid:user_id>/link": ADMIN,
    "POST /admin/people/<uuid:user_id>/disable": ADMIN,
    "POST /admin/people/<uuid:user_id>/enable": ADMIN,
    "POST /admin/people/<uuid:user_id>/role": Row("admin", form={"role": "admin"}),
    "GET /admin/people/<uuid:user_id>/delete": ADMIN,
    "POST /admin/people/<uuid:user_id>/delete": Row("admin", form={"name": "nobody"}),
    "GET /admin/api-keys": ADMIN,
    "POST /admin/api-keys": Row(
        "admin", form={"name": "deploys", "scopes": "events:write", "lifetime": "30", "user": ""}
    ),
    "POST /admin/api-keys/<uuid:key_id>/revoke": ADMIN,
    "GET /admin/told": ADMIN,
    "POST /admin/told/test": ADMIN,
    "POST /admin/told/open": ADMIN,
    "POST /admin/told/<uuid:errand_id>/retry": ADMIN,
    "GET /admin/audit": ADMIN,
    "GET /admin/audit/export": ADMIN,
}
