"""Librato as one Flask app: the API, and pages of streams, measurements and API tokens."""

from functools import cached_property

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from webapp.sandbox.desk import Desk
from webapp.sandbox.door import Door
from webapp.sandbox.librato import annotations_api, measurements_api, metrics_api, shelves, tokens_api
from webapp.sandbox.librato.annotations import Streams
from webapp.sandbox.librato.gate import add_gate
from webapp.sandbox.librato.measurements import Measurements
from webapp.sandbox.librato.metrics import Metrics
from webapp.sandbox.librato.permissions import ROLES
from webapp.sandbox.librato.shelves import Shelf
from webapp.sandbox.librato.tokens import EMAIL, ApiTokens
from webapp.sandbox.pages import new_app

SHOWN = 200


class Librato:
    """The simulated Librato: one account with its API tokens and what was sent to it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.tokens = ApiTokens()
        self.streams = Streams()
        self.measurements = Measurements()
        self.metrics = Metrics()
        self.shelves = {kind: Shelf() for kind in ("alerts", "services", "spaces", "charts")}

    def account(self) -> dict[str, object]:
        """Return the e-mail and a token of each role."""
        first = {role: self.tokens.first(role) for role in ROLES}
        return {"email": EMAIL, "tokens": {role: one and one.token for role, one in first.items()}}

    def reset(self) -> None:
        """Go back to the tokens of the start, and forget everything that was sent."""
        self.tokens.restore()
        self.streams.forget()
        self.measurements.forget()
        self.metrics.forget()
        for shelf in self.shelves.values():
            shelf.forget()

    @cached_property
    def app(self) -> Flask:
        desk = self._desk
        app = new_app("librato", desk)
        # Chosen: the sandbox is on loopback and takes plain http, which Librato refuses with 403.
        add_gate(app, self.tokens)
        tokens_api.add_routes(app, self.tokens)
        annotations_api.add_routes(app, desk, self.streams)
        measurements_api.add_routes(app, desk, self.measurements, self.metrics)
        metrics_api.add_routes(app, desk, self.metrics)
        shelves.add_routes(app, self.shelves)
        self._add_pages(app)
        app.register_error_handler(HTTPException, _worded)
        app.wsgi_app = Door(app, "librato", desk)  # type: ignore[method-assign]  # as Flask says
        return app

    def _add_pages(self, app: Flask) -> None:
        @app.get("/", endpoint="page_streams")
        def _streams() -> str:
            streams = self.streams.all()
            taken = self.measurements.all()
            return render_template(
                "sandbox/librato.html",
                streams={one: self.streams.events(one)[: -SHOWN - 1 : -1] for one in streams},
                measurements=taken[: -SHOWN - 1 : -1],
                total=sum(len(one.events) for one in streams) + len(taken),
            )

        @app.get("/tokens", endpoint="page_tokens")
        def _tokens() -> str:
            return render_template("sandbox/librato_tokens.html", email=EMAIL, tokens=self.tokens.all())


def _worded(refusal: HTTPException) -> tuple[Response | str, int]:
    if request.path.startswith("/v1/"):
        return jsonify(errors={"request": [refusal.name]}), refusal.code or 500
    return render_template("sandbox/refusal.html", vendor="Librato", refusal=refusal), refusal.code or 500
