"""The API of `app.last9.io` below `/api/v4`."""

from collections.abc import Callable
from functools import wraps

from flask import Flask, Response, jsonify, request

from webapp.sandbox.bodies import UnreadableError, loads
from webapp.sandbox.desk import Desk
from webapp.sandbox.last9 import organization, samples
from webapp.sandbox.last9.change_events import parse
from webapp.sandbox.last9.refusals import RefusedError
from webapp.sandbox.last9.samples import Samples
from webapp.sandbox.last9.tokens import ORGANIZATION, Tokens

BASE = "/api/v4/organizations/<org>"

View = Callable[[], Response]


def add_routes(app: Flask, desk: Desk, tokens: Tokens, store: Samples) -> None:
    """Add the token endpoint and everything of one organization."""

    @app.post("/api/v4/oauth/access_token", endpoint="token")
    def _token() -> Response:
        # Last9's GitHub Action sends a grant_type beside it: fields not named in the docs are ignored.
        refresh_token = json_object().get("refresh_token")
        if not isinstance(refresh_token, str) or not refresh_token:
            raise RefusedError(400, "refresh_token is required")
        return jsonify(tokens.exchange(refresh_token, request.host))

    _add_organization(app, desk, tokens)
    _add_change_events(app, desk, tokens, store)
    _add_queries(app, desk, tokens, store)


def _guarded(tokens: Tokens, need: str, view: View) -> Callable[[str], Response]:
    """Check token and organization before the view is run."""

    @wraps(view)
    def guarded(org: str) -> Response:
        tokens.check(_access_token(), request.host, need, request.endpoint or "")
        if org != ORGANIZATION:
            raise RefusedError(404, "Invalid org_slug")
        return view()

    return guarded


def _access_token() -> str:
    header = request.headers.get("X-LAST9-API-TOKEN")
    # Chosen: the text; that an Authorization header does not count, and the status, are known.
    if header is None:
        raise RefusedError(401, "X-LAST9-API-TOKEN header is missing")
    scheme, _, access_token = header.partition(" ")
    if scheme != "Bearer" or not access_token:
        raise RefusedError(400, "invalid access token")
    return access_token


def _add_organization(app: Flask, desk: Desk, tokens: Tokens) -> None:
    views: dict[str, tuple[str, View]] = {
        "organization": ("", lambda: jsonify(organization.organization())),
        "datasources": ("/datasources", lambda: jsonify(organization.datasources(desk))),
        "clusters": ("/clusters", lambda: jsonify(organization.clusters(request.args.get("region")))),
    }
    for endpoint, (path, view) in views.items():
        app.add_url_rule(BASE + path, endpoint, _guarded(tokens, "read", view), methods=["GET"])


def _add_change_events(app: Flask, desk: Desk, tokens: Tokens, store: Samples) -> None:
    def take() -> Response:
        event = json_object()
        sample = parse(event, desk.now())
        store.add(sample)
        headers = {"data_source_name": sample.cluster}
        desk.recorder.take("last9", "change_events", ORGANIZATION, [event], headers)
        return jsonify(message="success")

    app.add_url_rule(
        f"{BASE}/change_events", "change_events", _guarded(tokens, "write", take), methods=["PUT"]
    )


def _add_queries(app: Flask, desk: Desk, tokens: Tokens, store: Samples) -> None:
    def label_values() -> Response:
        asked = json_object()
        label, selectors = asked.get("label"), asked.get("matches")
        if not isinstance(label, str) or not isinstance(selectors, list) or not selectors:
            raise RefusedError(400, "label and matches are required")
        found = [one for selector in selectors for one in _found(desk, store, asked, selector)]
        return jsonify(sorted({one.labels[label] for one in found if label in one.labels}))

    def query() -> Response:
        asked = json_object()
        return jsonify(samples.series(_found(desk, store, asked, asked.get("query"))))

    def instant() -> Response:
        asked = json_object() | {"window": samples.LOOKBACK}
        found = _found(desk, store, asked, asked.get("query"))
        return jsonify(samples.instant(found, _number(asked, "timestamp")))

    # Chosen: the docs are silent on read tokens at these POSTs; they change nothing, so reading is enough.
    for endpoint, view in (
        ("prom_label_values", label_values),
        ("prom_query", query),
        ("prom_query_instant", instant),
    ):
        app.add_url_rule(f"{BASE}/{endpoint}", endpoint, _guarded(tokens, "read", view), methods=["POST"])


def _found(desk: Desk, store: Samples, asked: dict[str, object], query: object) -> list[samples.Sample]:
    cluster = organization.cluster_read_by(
        desk, asked.get("read_url"), asked.get("username"), asked.get("password")
    )
    # Chosen: the docs are silent on wrong read credentials.
    if cluster is None:
        raise RefusedError(400, "no data source has this read_url, username and password")
    if not isinstance(query, str):
        raise RefusedError(400, "a query is required")
    end = _number(asked, "timestamp")
    try:
        return store.within(cluster.name, query, end - _number(asked, "window"), end)
    except samples.UnreadableQueryError as error:
        raise RefusedError(400, str(error)) from error


def _number(asked: dict[str, object], name: str) -> float:
    value = asked.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedError(400, f"{name} must be a number")
    return value


def json_object() -> dict[str, object]:
    """Return the JSON object of this request's body, or refuse it."""
    # Chosen: the docs are silent on other content types and on bodies that are no JSON.
    if request.mimetype != "application/json":
        raise RefusedError(400, "Content-Type must be application/json")
    try:
        body = loads(request.get_data())
    except UnreadableError as error:
        raise RefusedError(400, "the body is not valid JSON") from error
    if not isinstance(body, dict):
        raise RefusedError(400, "the body must be one object")
    return body
