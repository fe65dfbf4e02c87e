"""Who may pass: Basic authentication, roles, and the headers that tell the limits."""

import time
from collections import Counter

from flask import Flask, Response, jsonify, request

from webapp.sandbox.librato.permissions import PERMISSIONS, permits
from webapp.sandbox.librato.refusals import RefusedError, wrong_request
from webapp.sandbox.librato.tokens import EMAIL, ApiTokens

INGEST = ("/v1/metrics", "/v1/measurements")
"""Paths whose POST is answered by another server at Librato, with a 401 of its own."""

# Chosen: the window, and that nothing is refused at its end; only names, fields and the limit are known.
LIMIT_NAMES = ("X-Librato-RateLimit-Agg", "X-Librato-RateLimit-Std")
LIMIT = 600_000
WINDOW = 3_600


def add_gate(app: Flask, tokens: ApiTokens) -> None:
    """Let only permitted requests reach the API, and put the limits on every answer of it."""
    spent: Counter[int] = Counter()

    @app.before_request
    def _admit() -> Response | None:
        if not request.path.startswith("/v1/"):
            return None
        given = request.authorization
        # Chosen: e-mail and token only; the other two forms are AppOptics's.
        known = given is not None and given.type == "basic" and (given.username or "").lower() == EMAIL
        found = tokens.by_value(str(given.password)) if given is not None and known else None
        if found is None:
            return _unauthorized()
        rule = request.url_rule.rule if request.url_rule else ""
        # Chosen: the docs are silent on what is checked first; here the role, then the body.
        if rule in PERMISSIONS and not permits(rule, request.method, found.role):
            raise wrong_request("This token is not permitted to perform this action on this resource", 403)
        return None

    @app.after_request
    def _limits(answer: Response) -> Response:
        if request.path.startswith("/v1/"):
            window = int(time.time()) // WINDOW
            spent[window] += 1
            told = f"limit={LIMIT},remaining={max(0, LIMIT - spent[window])},reset={(window + 1) * WINDOW}"
            answer.headers.update(dict.fromkeys(LIMIT_NAMES, told))
        return answer

    @app.errorhandler(RefusedError)
    def _refused(refusal: RefusedError) -> tuple[Response, int]:
        return jsonify(refusal.body), refusal.status


def _unauthorized() -> Response:
    if request.method == "POST" and request.path in INGEST:
        answer = Response("Credentials are required to access this resource.", 401, mimetype="text/plain")
    else:
        answer = jsonify(errors={"request": ["Authorization Required"]})
        answer.status_code = 401
    # Chosen: the realm; that there is a challenge follows from clients that wait for one.
    answer.headers["WWW-Authenticate"] = 'Basic realm="Librato API"'
    return answer
