"""`/v1/metrics`: the older ingest endpoint, and the metrics by name (api-docs, Metrics)."""

from flask import Flask, Response, jsonify, request

from webapp.sandbox.desk import Desk
from webapp.sandbox.librato.forms import fields
from webapp.sandbox.librato.metrics import KINDS, Metric, Metrics, check, listed
from webapp.sandbox.librato.paging import page
from webapp.sandbox.librato.refusals import not_found, wrong_params
from webapp.sandbox.librato.tokens import EMAIL

PROPERTIES = ("display_name", "description", "period", "attributes")

Answer = tuple[Response, int]


def add_routes(app: Flask, desk: Desk, metrics: Metrics) -> None:
    """Add the list with its ingest endpoint, and what can be done to one metric."""

    @app.get("/v1/metrics", endpoint="metrics.list")
    def _list() -> Answer:
        part, owned = request.args.get("name", ""), metrics.all()
        matching = [one for one in owned if part.lower() in one.name]
        orders = {"name": lambda one: one.name}
        return jsonify(page("metrics", len(owned), matching, Metric.as_body, orders)), 200

    @app.post("/v1/metrics", endpoint="metrics.create")
    def _create() -> Answer:
        items, now = listed(fields()), int(desk.now())
        for kind, item in items:
            check(kind, item, metrics, now)
        for kind, item in items:
            met = metrics.meet(str(item["name"]), kind)
            met.properties |= {one: item[one] for one in PROPERTIES if one in item}
        desk.recorder.take("librato", "metrics", EMAIL, [item for _, item in items])
        # Recorded live: 200 and nothing in it, whatever its content type says.
        return Response(b"", content_type="application/json;charset=utf-8"), 200

    @app.delete("/v1/metrics", endpoint="metrics.delete_many")
    def _delete_many() -> Answer:
        names = fields().get("names")
        if not isinstance(names, list) or not names:
            raise wrong_params(names="is not present")
        for name in names:
            metrics.remove(str(name))
        return Response(), 204

    _add_one(app, metrics)


def _add_one(app: Flask, metrics: Metrics) -> None:
    @app.get("/v1/metrics/<name>", endpoint="metrics.get")
    def _get(name: str) -> Answer:
        found = metrics.get(name)
        if found is None:
            raise not_found()
        return jsonify(found.as_body()), 200

    @app.put("/v1/metrics/<name>", endpoint="metrics.update")
    def _update(name: str) -> Answer:
        asked = fields()
        properties = {one: asked[one] for one in PROPERTIES if one in asked}
        found = metrics.get(name)
        if found:
            found.properties |= properties
            return Response(), 204
        # Documented: an unknown metric is made when its type is given. Chosen: 404 when it is not.
        if asked.get("type") not in KINDS.values():
            raise not_found()
        made = metrics.meet(name, str(asked["type"]))
        made.properties |= properties
        return jsonify(made.as_body()), 201

    @app.delete("/v1/metrics/<name>", endpoint="metrics.delete")
    def _delete(name: str) -> Answer:
        if not metrics.remove(name):
            raise not_found()
        return Response(), 204
