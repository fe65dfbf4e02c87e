"""What every answer tells the browser: run nothing but ours, show it nowhere else, keep no copy."""

import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from webapp.lib.ids import new_request_id
from webapp.settings import Settings

#: Served without a person in them, so that browsers may keep them.
_FILES = frozenset({"static", "bootstrap.static", "assets.htmx"})

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), "
    "browsing-topics=(), display-capture=(), clipboard-read=(), clipboard-write=(self)",
}

_REFERRER, _NO_COPY = "same-origin", "no-store"


def nonce() -> str:
    """This answer's nonce: a script runs only if it carries it."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return str(g.nonce)


def allow_form_to(address: str) -> None:
    """Let this page's forms end, by redirect, at that address's origin (a vendor's consent page)."""
    parts = urlsplit(address)
    g.form_targets = (*g.get("form_targets", ()), f"{parts.scheme}://{parts.netloc}")


def send_no_referrer() -> None:
    """For a page whose own address holds a secret: no link or form on it names the address to anybody."""
    g.referrer_policy = "no-referrer"


def dress(app: Flask, settings: Settings) -> None:
    """Number every request to `app`, and put the headers on every answer that does not say them itself."""
    always = _always(settings)

    @app.before_request
    def number_the_request() -> None:
        g.request_id = new_request_id()

    @app.after_request
    def add_headers(response: Response) -> Response:
        said = {name.lower() for name, _ in response.headers}
        usual = always | _of_this_answer()
        response.headers.extend({name: usual[name] for name in usual if name.lower() not in said})
        return response

    app.jinja_env.globals["nonce"] = nonce


def of_plain_answers(settings: Settings) -> dict[str, str]:
    """The headers of an answer that is no page, but for its number."""
    return _always(settings) | {
        "Referrer-Policy": _REFERRER,
        "Content-Security-Policy": _PLAIN_POLICY,
        "Cache-Control": _NO_COPY,
    }


def _always(settings: Settings) -> dict[str, str]:
    if not settings.public_url.startswith("https:"):
        return _ALWAYS
    return _ALWAYS | {"Strict-Transport-Security": "max-age=63072000; includeSubDomains"}


def _of_this_answer() -> dict[str, str]:
    headers = {
        "Referrer-Policy": g.get("referrer_policy", _REFERRER),
        "Content-Security-Policy": _policy(),
    }
    if request.endpoint not in _FILES:
        headers["Cache-Control"] = _NO_COPY
    if "request_id" in g:
        headers["X-Request-Id"] = g.request_id
    return headers


def _policy() -> str:
    if "nonce" not in g and "form_targets" not in g:
        return _PLAIN_POLICY
    scripts = f"'nonce-{g.nonce}'" if "nonce" in g else "'none'"
    return _POLICY.format(scripts=scripts, targets=" ".join(("'self'", *g.get("form_targets", ()))))


_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action {targets}; "
    "base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
#: Of an answer that asked for no nonce: it has no script, so none runs.
_PLAIN_POLICY = _POLICY.format(scripts="'none'", targets="'self'")
