"""The guard before every page: requests that other sites send in our people's name go no further.

Two walls: a token in every form (Flask-WTF), and what the browser itself says of the sender (Fetch Metadata,
the Origin header). The HTTP API takes keys in a header and ignores cookies, so it needs neither.
"""

from collections.abc import Iterable

from flask import Flask, g, request
from flask.sessions import SessionMixin
from flask_wtf import CSRFProtect

from webapp.errors import Forbidden
from webapp.settings import Settings
from webapp.ui._session import CookieSessions

#: No form of ours comes near it; the API has its own limit.
FORM_BYTES = 1_000_000

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def guard(app: Flask, settings: Settings, *, without_cookies: Iterable[str]) -> None:
    """Put both walls before all of `app` but the blueprints named in `without_cookies`."""
    exempt = frozenset(without_cookies)
    own = settings.public_url.rstrip("/")

    app.session_interface = _Sessions()

    @app.before_request
    def refuse_other_sites() -> None:
        if request.method in _SAFE or request.blueprint in exempt:
            return
        request.max_content_length = FORM_BYTES
        g.from_elsewhere = _is_from_elsewhere(own)
        if g.from_elsewhere and request.endpoint:
            message = "This request came from another site. Open the page here and send it again."
            raise Forbidden(message)

    csrf = CSRFProtect(app)
    for name in exempt:
        csrf.exempt(app.blueprints[name])


class _Sessions(CookieSessions):
    """Signed cookies, but the answer to another site's form leaves the cookie alone.

    The browser sent that form without our cookie, so the answer's session is an empty one: setting it would
    sign the person out.
    """

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        return not g.get("from_elsewhere", False) and super().should_set_cookie(app, session)


def _is_from_elsewhere(own: str) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    # A page that sends no referrer sends the origin "null" too: then the token alone decides.
    origin = request.headers.get("Origin", "null")
    return site != "same-origin" if site else origin not in {"null", own, request.host_url.rstrip("/")}
