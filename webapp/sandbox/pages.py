"""The sandbox's own look: one way to make a vendor's app, with its pages and their headers."""

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, Response, g

from webapp.sandbox.desk import Desk

HERE = Path(__file__).parent
TEMPLATES = HERE.parent.parent / "templates"


def new_app(name: str, desk: Desk) -> Flask:
    """Return a Flask app with the sandbox's templates, style and headers, and no routes yet."""
    app = Flask(
        name, template_folder=str(TEMPLATES), static_folder=str(HERE / "static"), static_url_path="/look"
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    app.jinja_env.filters.update(pretty=_pretty, clock=_clock)
    app.context_processor(lambda: {"urls": desk.urls, "nonce": _nonce()})
    app.after_request(lambda answer: _guarded(answer, desk))
    return app


def _nonce() -> str:
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return str(g.nonce)


def _guarded(answer: Response, desk: Desk) -> Response:
    if answer.mimetype == "text/html":
        # The consent form answers with a redirect to the app, which form-action has to allow.
        home = "/".join(desk.settings.redirect_url.split("/")[:3])
        answer.headers["Content-Security-Policy"] = (
            f"default-src 'none'; style-src 'self'; script-src 'nonce-{_nonce()}'; img-src data:; "
            f"connect-src 'self'; form-action 'self' {home}; base-uri 'none'; frame-ancestors 'none'"
        )
        answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
