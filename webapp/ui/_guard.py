"""The guard before every page: requests that other sites send in our people's name go no further.

Two walls: a token in every form (Flask-WTF), and what the browser itself says of the sender (Fetch Metadata,
the Origin header). The HTTP API takes keys in a header and ignores cookies, so it needs neither.
"""

from collections.abc import Iterable

from flask import Flask, request
from flask_wtf import CSRFProtect

from webapp.errors import Forbidden
from webapp.settings import Settings

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def guard(app: Flask, settings: Settings, *, without_cookies: Iterable[str]) -> None:
    """Put both walls before all of `app` but the blueprints named in `without_cookies`."""
    exempt = frozenset(without_cookies)
    own = settings.public_url.rstrip("/")

    @app.before_request
    def refuse_other_sites() -> None:
        if request.method not in _SAFE and request.blueprint not in exempt and request.endpoint:
            _check_sender(own)

    csrf = CSRFProtect(app)
    for name in exempt:
        csrf.exempt(app.blueprints[name])


def _check_sender(own: str) -> None:
    site = request.headers.get("Sec-Fetch-Site")
    # A page that sends no referrer sends the origin "null" too: then the token alone decides.
    origin = request.headers.get("Origin", "null")
    foreign = site != "same-origin" if site else origin not in {"null", own, request.host_url.rstrip("/")}
    if foreign:
        message = "This request came from another site. Open the page here and send it again."
        raise Forbidden(message)
