"""The JSON interface: one module a resource, one table of operations, served and documented from it."""

from flask import Blueprint, Flask, Response, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from webapp.api import (
    connect_sessions,
    connections,
    dead_letters,
    destinations,
    events,
    github,
    health,
    metrics,
    otlp,
    pages,
    sources,
    users,
)
from webapp.api.operations import Operation, serve
from webapp.api.quick import QuickLane
from webapp.api.refusals import Refusal, explain, explain_database, explain_http, respond
from webapp.errors import HitchpostError

PREFIX = "/api/v1"

#: Every resource, in the order that the document shows them.
RESOURCES = (
    events.resource,
    connections.resource,
    destinations.resource,
    dead_letters.resource,
    connect_sessions.resource,
    sources.resource,
    users.resource,
)

OPERATIONS: tuple[Operation, ...] = tuple(
    operation for resource in RESOURCES for operation in resource.operations
)


def register(app: Flask) -> None:
    """Serve the interface, its pages, and what machines ask of this process. None of it heeds a cookie."""
    app.register_blueprint(_make_blueprint())
    app.register_blueprint(otlp.blueprint)
    app.register_blueprint(_dressed(github.make_blueprint()))
    app.register_blueprint(pages.make_blueprint(OPERATIONS, PREFIX))
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    app.before_request(_refuse_unknown)


def _make_blueprint() -> Blueprint:
    blueprint = Blueprint("api", __name__, url_prefix=PREFIX)
    for operation in OPERATIONS:
        blueprint.add_url_rule(
            operation.path, endpoint=operation.name, view_func=serve(operation), methods=[operation.method]
        )
    return _dressed(blueprint)


def _dressed(blueprint: Blueprint) -> Blueprint:
    """`blueprint` with every error answered in our form."""
    blueprint.register_error_handler(Refusal, _refuse)
    blueprint.register_error_handler(HitchpostError, explain)
    blueprint.register_error_handler(SQLAlchemyError, explain_database)
    for status in (400, 404, 405, 413, 415, 429, 500):
        blueprint.register_error_handler(status, explain_http)
    return blueprint


def _refuse(refusal: Refusal) -> Response:
    return respond(refusal.problem, refusal.detail, faults=refusal.faults, headers=refusal.headers)


def _refuse_unknown() -> Response | None:
    """An address or a method that is not there belongs to no blueprint: it is answered in our form here."""
    error = request.routing_exception
    if not isinstance(error, HTTPException) or not request.path.startswith(f"{PREFIX}/"):
        return None
    return explain_http(error)


__all__ = ["OPERATIONS", "PREFIX", "QuickLane", "register"]
