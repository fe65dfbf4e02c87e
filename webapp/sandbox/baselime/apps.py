"""Baselime's three hosts as three Flask apps over the same accounts."""

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from webapp.sandbox.baselime import console, events, oauth, otel
from webapp.sandbox.baselime.accounts import Accounts, Client
from webapp.sandbox.baselime.grants import Grants
from webapp.sandbox.desk import Desk
from webapp.sandbox.door import Door
from webapp.sandbox.pages import new_app


class Baselime:
    """The simulated Baselime: who has what, what was granted, and the apps that show it."""

    def __init__(self, desk: Desk, client: Client) -> None:
        self.client = client
        self.accounts = Accounts()
        self.grants = Grants(desk)
        self.apps = {
            "baselime": self._console(desk),
            "baselime_events": self._events(desk),
            "baselime_otel": self._otel(desk),
        }

    def reset(self) -> None:
        """Go back to the environments of the start and forget every grant."""
        self.accounts.restore()
        self.grants.forget()

    def _console(self, desk: Desk) -> Flask:
        app = new_app("baselime", desk)
        console.add_routes(app, desk, self.client, self.accounts, self.grants)
        oauth.add_routes(app, desk, self.client, self.accounts, self.grants)
        app.register_error_handler(HTTPException, _worded)
        app.wsgi_app = Door(app, "baselime", desk, oauth.grant_type)  # type: ignore[method-assign]  # as Flask says
        return app

    def _events(self, desk: Desk) -> Flask:
        app = new_app("baselime_events", desk)
        events.add_routes(app, desk, self.accounts)
        app.wsgi_app = Door(app, "baselime", desk)  # type: ignore[method-assign]  # as Flask says
        return app

    def _otel(self, desk: Desk) -> Flask:
        app = new_app("baselime_otel", desk)
        otel.add_routes(app, desk, self.accounts)
        app.register_error_handler(HTTPException, _as_json)
        app.wsgi_app = Door(app, "baselime_otel", desk)  # type: ignore[method-assign]  # as Flask says
        return app


def _worded(refusal: HTTPException) -> tuple[Response | str, int]:
    if request.path.startswith("/oauth/"):
        return _as_json(refusal)
    page = render_template("sandbox/refusal.html", vendor="Baselime", refusal=refusal)
    return page, refusal.code or 500


def _as_json(refusal: HTTPException) -> tuple[Response, int]:
    return jsonify(message=refusal.name), refusal.code or 500
