"""Last9 as one Flask app: the API, the timeline of change events, and the API Access page."""

import re
from functools import cached_property

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from webapp.sandbox.desk import Desk
from webapp.sandbox.door import Door
from webapp.sandbox.last9 import api
from webapp.sandbox.last9.organization import CLUSTERS
from webapp.sandbox.last9.refusals import RefusedError
from webapp.sandbox.last9.samples import Sample, Samples
from webapp.sandbox.last9.tokens import ORGANIZATION, Tokens, scope_of
from webapp.sandbox.pages import new_app

SHOWN = 200

# The first that occurs in the event's name gives a marker its colour.
MARKERS = (
    ("flag", re.compile("flag|launchdarkly|toggle|experiment", re.IGNORECASE)),
    ("deploy", re.compile("deploy|release|rollout|rollback|build|version", re.IGNORECASE)),
    (
        "infra",
        re.compile(
            "scal|restart|reboot|config|terraform|migration|maintenance|infra|node|cluster", re.IGNORECASE
        ),
    ),
)


class Last9:
    """The simulated Last9: one organization, its tokens and its change events."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.tokens = Tokens(desk)
        self.samples = Samples()

    def reset(self) -> None:
        """Forget every token that was issued, and every change event."""
        self.tokens.forget()
        self.samples.forget()

    @cached_property
    def app(self) -> Flask:
        desk = self._desk
        app = new_app("last9", desk)
        api.add_routes(app, desk, self.tokens, self.samples)
        self._add_pages(app)
        app.register_error_handler(RefusedError, lambda refusal: _said(str(refusal), refusal.status))
        app.register_error_handler(HTTPException, _worded)
        app.wsgi_app = Door(app, "last9", desk, scope_of)  # type: ignore[method-assign]  # as Flask says
        return app

    def _add_pages(self, app: Flask) -> None:
        app.jinja_env.filters["marker"] = marker

        @app.get("/", endpoint="page_timeline")
        def _timeline() -> str:
            taken = {one: self.samples.all(one.name)[::-1] for one in CLUSTERS}
            return render_template(
                "sandbox/last9.html",
                organization=ORGANIZATION,
                total=sum(map(len, taken.values())),
                taken={one: events[:SHOWN] for one, events in taken.items()},
            )

        @app.get("/settings/api-access", endpoint="page_access")
        def _access() -> str:
            return render_template(
                "sandbox/last9_access.html",
                organization=ORGANIZATION,
                refresh_tokens=self.tokens.refresh_tokens(),
            )


def marker(sample: Sample) -> str:
    """Return the kind of marker a change event is drawn as."""
    name = sample.labels["event_name"]
    return next((kind for kind, words in MARKERS if words.search(name)), "neutral")


def _worded(refusal: HTTPException) -> tuple[Response | str, int]:
    if request.path.startswith("/api/"):
        return _said(refusal.name, refusal.code or 500)
    return render_template("sandbox/refusal.html", vendor="Last9", refusal=refusal), refusal.code or 500


def _said(text: str, status: int) -> tuple[Response, int]:
    return jsonify(error=text), status
