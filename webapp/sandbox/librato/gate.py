"""Who may pass: Basic authentication, roles, and the headers that tell the limits."""

import time

from flask import Flask, Response, jsonify, request

from webapp.sandbox.librato.permissions import PERMISSIONS, permits
from webapp.sandbox.librato.refusals import RefusedError, wrong_request
from webapp.sandbox.librato.tokens import EMAIL, ApiTokens

INGEST = ("/v1/metrics", "/v1/measurements")
"""Paths whose POST is answered by another server at Librato, with a 401 of its own."""

LIMITS = {"Agg": 600_000, "Std": 6_000}
WINDOW = 3_600


def add_gate(app: Flask, tokens: ApiTokens) -> None:
    """Let only permitted requests reach the API, and put the limits on every answer of it."""
    spent = dict.fromkeys(LIMITS, 0)

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
            for name, limit in LIMITS.items():
                spent[name] += 1
                answer.headers[f"X-Librato-RateLimit-{name}"] = _limit(limit, spent[name])
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


def _limit(limit: int, spent: int) -> str:
    # Chosen: the window; only the three fields are known.
    reset = (int(time.time()) // WINDOW + 1) * WINDOW
    return f"limit={limit},remaining={max(0, limit - spent)},reset={reset}"
