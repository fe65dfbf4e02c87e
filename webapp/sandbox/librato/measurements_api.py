"""`/v1/measurements`: taking tagged measurements, and reading a series back (api-docs, Measurements)."""

import re

from flask import Flask, Response, jsonify, request

from webapp.sandbox.bodies import UnreadableError, loads
from webapp.sandbox.desk import Desk
from webapp.sandbox.librato.annotations import seconds
from webapp.sandbox.librato.forms import JSON, raw_body
from webapp.sandbox.librato.measurements import Measurement, Measurements, checked, filled
from webapp.sandbox.librato.metrics import Metrics
from webapp.sandbox.librato.paging import page
from webapp.sandbox.librato.refusals import not_found, unreadable_json, wrong_params, wrong_request
from webapp.sandbox.librato.tokens import EMAIL

Answer = tuple[Response, int]

_TAG = re.compile(r"tags\[([^\[\]]+)\]")


def add_routes(app: Flask, desk: Desk, store: Measurements, metrics: Metrics) -> None:
    """Add the ingest endpoint and the reading of a series."""

    @app.post("/v1/measurements", endpoint="measurements.create")
    def _create() -> Answer:
        items = filled(_json())
        now = int(desk.now())
        store.add([checked(one, now) for one in items])
        for one in items:
            metrics.meet(str(one["name"]).lower(), "gauge")
        desk.recorder.take("librato", "measurements", EMAIL, items)
        # Chosen: normally 200, the docs say; a JSON object whose `errors` is empty suits every client.
        return jsonify(errors=[]), 200

    @app.get("/v1/measurements", endpoint="measurements.list")
    def _list() -> Answer:
        # Chosen: the table of roles has this row, the docs have no answer to it; here, the names.
        names = sorted({one.name for one in store.all()})
        orders = {"name": str}
        return jsonify(page("measurements", len(names), names, lambda name: {"name": name}, orders)), 200

    @app.get("/v1/measurements/<name>", endpoint="measurements.series")
    def _series(name: str) -> Answer:
        found = store.named(name)
        if not found:
            raise not_found()
        start, end = _window(desk)
        within = [one for one in found if start <= one.time <= end and _tagged(one)]
        body = {"series": _grouped(within), "links": [], "resolution": _asked("resolution"), "name": name}
        return jsonify(body), 200


def _json() -> object:
    if request.mimetype != JSON:
        raise wrong_request("Content type was not application/json", 415)
    try:
        return loads(raw_body())
    except UnreadableError as error:
        raise unreadable_json() from error


def _window(desk: Desk) -> tuple[int, int]:
    now = int(desk.now())
    if "duration" in request.args:
        return now - _asked("duration"), now
    return _asked("start_time"), _asked("end_time") if "end_time" in request.args else now


def _asked(name: str) -> int:
    # Chosen: the docs are silent on what is said when one is missing.
    try:
        return seconds(request.args[name])
    except (KeyError, ValueError) as error:
        raise wrong_params(
            **{name: "is not a number" if name in request.args else "is not present"}
        ) from error


def _tagged(one: Measurement) -> bool:
    wanted = {
        found[1].lower(): value for key, value in request.args.items() if (found := _TAG.fullmatch(key))
    }
    return all(one.tags.get(name) == value.lower() for name, value in wanted.items())


def _grouped(found: list[Measurement]) -> list[dict[str, object]]:
    groups: dict[tuple[tuple[str, str], ...], list[dict[str, object]]] = {}
    for one in sorted(found, key=lambda each: each.time):
        points = groups.setdefault(tuple(sorted(one.tags.items())), [])
        points.append({"time": one.time, "value": one.value})
    return [{"tags": dict(tags), "measurements": points} for tags, points in groups.items()]
