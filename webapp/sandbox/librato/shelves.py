"""Alerts, services, spaces and charts: things that are only put down and fetched again.

Chosen: the facts about them are who may do what. Bodies are kept as sent, with an id.
"""

import threading

from flask import Flask, Response, jsonify

from webapp.sandbox.librato.forms import fields
from webapp.sandbox.librato.paging import page
from webapp.sandbox.librato.refusals import not_found

Thing = dict[str, object]
Answer = tuple[Response, int]
Created = tuple[Response, int, dict[str, str]]


class Shelf:
    """Things of one kind by id, safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        with self._lock:
            self._things: dict[int, Thing] = {}
            self._next = 1

    def all(self, parent: int | None = None) -> list[Thing]:
        with self._lock:
            return [one for one in self._things.values() if one.get("parent") == parent]

    def get(self, id: int, parent: int | None = None) -> Thing:
        with self._lock:
            found = self._things.get(id)
        if found is None or found.get("parent") != parent:
            raise not_found()
        return found

    def add(self, thing: Thing, parent: int | None = None) -> Thing:
        with self._lock:
            added = {**thing, "id": self._next}
            if parent is not None:
                added["parent"] = parent
            self._things[self._next] = added
            self._next += 1
            return added

    def change(self, id: int, changes: Thing, parent: int | None = None) -> None:
        self.get(id, parent).update({name: value for name, value in changes.items() if name != "id"})

    def remove(self, id: int, parent: int | None = None) -> None:
        self.get(id, parent)
        with self._lock:
            self._things.pop(id, None)


def add_routes(app: Flask, shelves: dict[str, Shelf]) -> None:
    """Add alerts with their services, services, and spaces with their charts."""
    for kind in ("alerts", "services", "spaces"):
        _add_shelf(app, kind, shelves[kind])
    _add_alert_services(app, shelves)
    _add_charts(app, shelves)


def _add_shelf(app: Flask, kind: str, shelf: Shelf) -> None:
    path = f"/v1/{kind}"

    @app.get(path, endpoint=f"{kind}.list")
    def _list() -> Answer:
        owned = shelf.all()
        return jsonify(page(kind, len(owned), owned, dict, {})), 200

    @app.post(path, endpoint=f"{kind}.create")
    def _create() -> Created:
        added = shelf.add(fields())
        return jsonify(added), 201, {"Location": f"{path}/{added['id']}"}

    @app.get(f"{path}/<int:id>", endpoint=f"{kind}.get")
    def _get(id: int) -> Answer:
        return jsonify(shelf.get(id)), 200

    @app.put(f"{path}/<int:id>", endpoint=f"{kind}.update")
    def _update(id: int) -> Answer:
        shelf.change(id, fields())
        return Response(), 204

    @app.delete(f"{path}/<int:id>", endpoint=f"{kind}.delete")
    def _delete(id: int) -> Answer:
        shelf.remove(id)
        return Response(), 204


def _add_alert_services(app: Flask, shelves: dict[str, Shelf]) -> None:
    path = "/v1/alerts/<int:id>/services"

    @app.post(path, endpoint="alerts.attach")
    def _attach(id: int) -> Created:
        alert, wanted = shelves["alerts"].get(id), str(fields().get("service"))
        service = shelves["services"].get(int(wanted) if wanted.isdecimal() else 0)
        alert["services"] = [*_attached(alert), service["id"]]
        return jsonify(service), 201, {"Location": f"/v1/alerts/{id}/services/{service['id']}"}

    @app.delete(f"{path}/<int:service_id>", endpoint="alerts.detach")
    def _detach(id: int, service_id: int) -> Answer:
        alert = shelves["alerts"].get(id)
        if service_id not in _attached(alert):
            raise not_found()
        alert["services"] = [one for one in _attached(alert) if one != service_id]
        return Response(), 204


def _attached(alert: Thing) -> list[object]:
    services = alert.get("services")
    return services if isinstance(services, list) else []


def _add_charts(app: Flask, shelves: dict[str, Shelf]) -> None:
    spaces, charts, path = shelves["spaces"], shelves["charts"], "/v1/spaces/<int:id>/charts"

    @app.get(path, endpoint="spaces.charts")
    def _list(id: int) -> Answer:
        spaces.get(id)
        owned = charts.all(id)
        return jsonify(page("charts", len(owned), owned, dict, {})), 200

    @app.post(path, endpoint="spaces.add_chart")
    def _create(id: int) -> Created:
        spaces.get(id)
        added = charts.add(fields(), id)
        return jsonify(added), 201, {"Location": f"/v1/spaces/{id}/charts/{added['id']}"}

    @app.get(f"{path}/<int:chart_id>", endpoint="spaces.chart")
    def _get(id: int, chart_id: int) -> Answer:
        return jsonify(charts.get(chart_id, id)), 200

    @app.put(f"{path}/<int:chart_id>", endpoint="spaces.update_chart")
    def _update(id: int, chart_id: int) -> Answer:
        charts.change(chart_id, fields(), id)
        return Response(), 204

    @app.delete(f"{path}/<int:chart_id>", endpoint="spaces.delete_chart")
    def _delete(id: int, chart_id: int) -> Answer:
        charts.remove(chart_id, id)
        return Response(), 204
