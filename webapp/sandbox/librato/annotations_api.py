"""`/v1/annotations`: streams, their events and the events' links (api-docs, Annotations)."""

import re
from collections.abc import Iterable

from flask import Flask, Response, jsonify, request

from webapp.sandbox.desk import Desk
from webapp.sandbox.librato.annotations import NAME, Annotation, Stream, Streams, checked, link, seconds
from webapp.sandbox.librato.forms import fields
from webapp.sandbox.librato.paging import page
from webapp.sandbox.librato.refusals import not_found, wrong_params, wrong_request
from webapp.sandbox.librato.tokens import EMAIL

Answer = tuple[Response, int]
Created = tuple[Response, int, dict[str, str]]


def add_routes(app: Flask, desk: Desk, streams: Streams) -> None:
    """Add everything below `/v1/annotations`."""
    _add_streams(app, desk, streams)
    _add_events(app, desk, streams)
    _add_links(app, streams)


def _add_streams(app: Flask, desk: Desk, streams: Streams) -> None:
    @app.get("/v1/annotations", endpoint="annotations.list")
    def _list() -> Answer:
        # A part of the name is enough, as Librato's Ruby suite shows.
        part, owned = request.args.get("name", ""), streams.all()
        matching = [one for one in owned if part in one.name]
        orders = {"name": lambda one: one.name}
        return jsonify(page("annotations", len(owned), matching, Stream.as_row, orders)), 200

    @app.get("/v1/annotations/<name>", endpoint="annotations.stream")
    def _stream(name: str) -> Answer:
        stream = _found(streams, name)
        shown, groups = stream.as_row(), _groups(streams.events(stream))
        if groups is not None:
            # The docs show a list of one object; what Librato's clients met is the object.
            shown["events"] = [groups] if desk.settings.librato_events_as_list else groups
        return jsonify(shown), 200

    @app.put("/v1/annotations/<name>", endpoint="annotations.rename")
    def _rename(name: str) -> Answer:
        display_name = fields().get("display_name")
        if not isinstance(display_name, str) or not display_name:
            raise wrong_params(display_name="is not present")
        _found(streams, name).display_name = display_name
        return Response(), 204

    @app.delete("/v1/annotations/<name>", endpoint="annotations.drop")
    def _drop(name: str) -> Answer:
        streams.remove(_found(streams, name).name)
        return Response(), 204


def _add_events(app: Flask, desk: Desk, streams: Streams) -> None:
    @app.post("/v1/annotations/<name>", endpoint="annotations.create")
    def _create(name: str) -> Created:
        asked = fields()
        if not NAME.fullmatch(name):
            raise wrong_params(name="is not a valid stream name")
        added = streams.add(name, checked(asked), int(desk.now()))
        desk.recorder.take("librato", "annotations", EMAIL, [asked], {"stream": name, "id": str(added.id)})
        return jsonify(added.as_body()), 201, {"Location": f"/v1/annotations/{name}/{added.id}"}

    @app.get("/v1/annotations/<name>/<int:id>", endpoint="annotations.event")
    def _get(name: str, id: int) -> Answer:
        return jsonify(_event(streams, name, id).as_body()), 200

    @app.put("/v1/annotations/<name>/<int:id>", endpoint="annotations.update")
    def _update(name: str, id: int) -> Answer:
        event = _event(streams, name, id)
        for field, value in checked(fields(), event).items():
            setattr(event, field, value)
        return Response(), 204

    @app.delete("/v1/annotations/<name>/<int:id>", endpoint="annotations.delete")
    def _delete(name: str, id: int) -> Answer:
        _event(streams, name, id)
        streams.remove_event(_found(streams, name), id)
        return Response(), 204


def _add_links(app: Flask, streams: Streams) -> None:
    @app.post("/v1/annotations/<name>/<int:id>/links", endpoint="links.create")
    def _create(name: str, id: int) -> Created:
        event = _event(streams, name, id)
        try:
            added = link(fields())
        except ValueError as fault:
            raise wrong_params(links=str(fault)) from fault
        # Documented: 422 for an entity that exists; a rel is unique in its event.
        if any(one["rel"] == added["rel"] for one in event.links):
            raise wrong_request("A link with this rel exists already", 422)
        event.links.append(added)
        return jsonify(added), 201, {"Location": f"/v1/annotations/{name}/{id}/links/{added['rel']}"}

    @app.delete("/v1/annotations/<name>/<int:id>/links/<rel>", endpoint="links.delete")
    def _delete(name: str, id: int, rel: str) -> Answer:
        event = _event(streams, name, id)
        kept = [one for one in event.links if one["rel"] != rel]
        if len(kept) == len(event.links):
            raise not_found()
        event.links = kept
        return Response(), 204


def _found(streams: Streams, name: str) -> Stream:
    stream = streams.get(name)
    if stream is None:
        raise not_found()
    return stream


def _event(streams: Streams, name: str, id: int) -> Annotation:
    event = _found(streams, name).events.get(id)
    if event is None:
        raise not_found()
    return event


def _groups(events: list[Annotation]) -> dict[str, list[dict[str, object]]] | None:
    """Return the events asked for, by source; None when no time and no count was given.

    The docs ask for one of them since 2021; Librato's own suite met a stream's properties without.
    """
    start, end, count = (_asked(name) for name in ("start_time", "end_time", "count"))
    if (start, end, count) == (None, None, None):
        return None
    chosen = [
        one
        for one in events
        if (start or 0) <= one.start_time and (end is None or one.start_time <= end) and _wanted(one)
    ]
    return _by_source(chosen[-count:] if count else chosen)


def _wanted(event: Annotation) -> bool:
    patterns = request.args.getlist("sources[]")
    words = (".*".join(map(re.escape, one.split("*"))) for one in patterns)
    return not patterns or any(re.fullmatch(one, event.source or "unassigned") for one in words)


def _by_source(events: Iterable[Annotation]) -> dict[str, list[dict[str, object]]]:
    groups: dict[str, list[dict[str, object]]] = {}
    for one in events:
        groups.setdefault(one.source or "unassigned", []).append(one.as_body())
    return groups


def _asked(name: str) -> int | None:
    text = request.args.get(name)
    try:
        return None if text is None else seconds(text)
    except ValueError as fault:
        raise wrong_params(**{name: str(fault)}) from fault
