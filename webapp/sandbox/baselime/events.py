"""The Events API of `events.baselime.io` (Baselime docs, Events API and Events validation)."""

import re

from flask import Flask, Response, jsonify, request

from webapp.sandbox.baselime.accounts import Accounts, Environment
from webapp.sandbox.bodies import UnreadableError, array_items
from webapp.sandbox.desk import Desk
from webapp.sandbox.faults import Fault

# Documented: 6MB uncompressed a request, each event under 256kb uncompressed.
# Chosen: the docs are silent on whether kb is 1000 or 1024; the smaller one is the stricter.
MAX_REQUEST = 6_000_000
MAX_EVENT = 256_000

# Chosen: "invalid path parameters" are answered 400, but no grammar of a dataset's name is documented.
DATASET = re.compile(r"[A-Za-z0-9_.-]{1,128}")

CORS = {
    # Baselime's react-rum posts from browsers with headers of its own, so a preflight has to succeed.
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Max-Age": "600",
}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def add_routes(app: Flask, desk: Desk, accounts: Accounts) -> None:
    """Add `POST /v1/<dataset>`; every other path is a bad one."""

    @app.route("/", endpoint="events", methods=METHODS, defaults={"path": ""})
    @app.route("/<path:path>", endpoint="events", methods=METHODS)
    def _events(path: str) -> tuple[Response, int]:
        if request.method == "OPTIONS":
            return Response(), 204
        if request.method != "POST":
            return _said("Method Not Allowed", 405)
        dataset = path.removeprefix("v1/")
        if not path.startswith("v1/") or not DATASET.fullmatch(dataset):
            return _said("Bad Request", 400)
        environment = accounts.by_key(ingest_key())
        if environment is None:
            return _said("Unauthorised", 401)
        return _ingest(desk, environment, dataset)

    @app.after_request
    def _open(answer: Response) -> Response:
        answer.headers.update(CORS)
        wanted = request.headers.get("Access-Control-Request-Headers")
        if wanted:
            answer.headers["Access-Control-Allow-Headers"] = wanted
        return answer


def ingest_key() -> str:
    """Return the key of this request: `x-api-key`, or the bearer that Baselime's log shippers send."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    return request.headers.get("x-api-key") or (bearer if scheme == "Bearer" else "")


def _ingest(desk: Desk, environment: Environment, dataset: str) -> tuple[Response, int]:
    items = _items()
    # Chosen: the docs call an empty request body bad; an empty array says as little.
    if not items:
        return _said("Bad Request", 400)
    body = request.get_data(as_text=True)
    poisons = desk.faults.take_all("baselime", "events", ("poison",), lambda fault: _picks(fault, body))
    valid: list[object] = []
    invalid: list[object] = []
    for event, text in items:
        fits = isinstance(event, dict) and len(text.encode()) < MAX_EVENT
        marked = any((fault.marker or "") in text for fault in poisons)
        (valid if fits and not marked else invalid).append(event)
    headers = {"dataset": dataset} | {
        name: request.headers[name] for name in ("x-service", "x-namespace") if name in request.headers
    }
    desk.recorder.take("baselime", "events", environment.account, valid, headers)
    if not invalid:
        return _said("Request Accepted", 202)
    # Chosen: events that fail are "listed under the invalid key"; most literally, the events themselves.
    return jsonify(message="Bad Request", invalid=invalid), 400


def _picks(fault: Fault, body: str) -> bool:
    return fault.status is None and (fault.marker or "") in body


def _items() -> list[tuple[object, str]]:
    raw = request.get_data()
    # Chosen: the docs are silent on other content types, on gzip and on what is said over 6MB;
    # 400 is the only refusal of a body they document.
    if (
        request.mimetype != "application/json"
        or "Content-Encoding" in request.headers
        or len(raw) > MAX_REQUEST
    ):
        return []
    try:
        return array_items(raw)
    except UnreadableError:
        return []


def _said(words: str, status: int) -> tuple[Response, int]:
    return jsonify(message=words), status
