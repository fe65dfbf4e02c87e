"""OTLP/HTTP: where any OpenTelemetry SDK or collector exports to (OTLP specification, "OTLP/HTTP").

Answers are in the form of the request, protobuf or JSON: success, partial success, or a google.rpc.Status.
429 and 503 tell the client to try again; after any other refusal it gives up, as the specification says.
"""

from collections.abc import Mapping

from flask import Blueprint, Response, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from webapp.api.bodies import read_body
from webapp.api.callers import authorize
from webapp.api.problems import BAD_REQUEST, UNSUPPORTED_MEDIA_TYPE
from webapp.api.refusals import Refusal, busy, problem_of
from webapp.core.api_keys import Scope
from webapp.core.events import accept_otlp
from webapp.errors import HitchpostError, Invalid
from webapp.lib import otlp

JSON, PROTOBUF = "application/json", "application/x-protobuf"
#: Names the user whose records these are; a key that is bound to one user needs none.
USER_HEADER = "X-Hitchpost-User"
#: google.rpc.Code by HTTP status; any other is UNKNOWN
_CODES: Mapping[int, int] = {
    400: 3,
    401: 16,
    403: 7,
    404: 5,
    405: 12,
    409: 10,
    413: 3,
    415: 3,
    429: 8,
    500: 13,
    503: 14,
}

blueprint = Blueprint("api_otlp", __name__, url_prefix="/v1")


@blueprint.post("/<any(logs, traces, metrics):signal>")
def export(signal: str) -> Response:
    """Store an export; 200 only after the commit."""
    caller = authorize(Scope.EVENTS_WRITE)
    if request.mimetype not in {JSON, PROTOBUF}:
        detail = f"Send OTLP as {PROTOBUF} or {JSON}."
        raise Refusal(UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept-Post": f"{PROTOBUF}, {JSON}"})
    partial = accept_otlp(
        caller.runtime,
        otlp.SIGNALS[signal],
        read_body(),
        as_json=_as_json(),
        user=_user(),
        only_user=caller.only_user,
    )
    body = otlp.write_answer(otlp.SIGNALS[signal], partial, as_json=_as_json())
    return Response(body, content_type=JSON if _as_json() else PROTOBUF)


def _as_json() -> bool:
    return request.mimetype == JSON


def _user() -> str | None:
    """The user that the header names. A header's bytes are read as UTF-8, if they are."""
    given = request.headers.get(USER_HEADER, "").strip()
    try:
        return given.encode("latin-1").decode() or None
    except UnicodeError:
        return given


@blueprint.errorhandler(Refusal)
def _refuse(refusal: Refusal) -> Response:
    return _answer(refusal.problem.status, refusal.detail, refusal.headers)


@blueprint.errorhandler(HitchpostError)
def _explain(error: HitchpostError) -> Response:
    if isinstance(error, Invalid):
        return _answer(BAD_REQUEST.status, " ".join(_said(fault.where, fault.what) for fault in error.faults))
    problem, headers = problem_of(error)
    return _answer(problem.status, str(error), headers)


@blueprint.errorhandler(SQLAlchemyError)
def _explain_database(error: SQLAlchemyError) -> Response:
    return _explain(busy(error))


def _said(where: str, what: str) -> str:
    return f"{USER_HEADER} {what}." if where == "/user" else f"The body {what}."


@blueprint.errorhandler(HTTPException)
def _explain_http(error: HTTPException) -> Response:
    return _answer(error.code or 500, f"{error.name}.")


def _answer(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    body = otlp.write_status(_CODES.get(status, 2), message, as_json=_as_json())
    return Response(body, status, dict(headers or {}), content_type=JSON if _as_json() else PROTOBUF)
