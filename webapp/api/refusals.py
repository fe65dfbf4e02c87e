"""Refusals: how a request that is not carried out is answered, as RFC 9457 asks for it."""

import json
from collections.abc import Mapping, Sequence
from math import ceil

from flask import Response, g, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from webapp import errors
from webapp.api.problems import (
    BACKLOG_FULL,
    BAD_REQUEST,
    CONFLICT,
    FORBIDDEN,
    IDENTITY_CONFLICT,
    INTERNAL,
    INVALID,
    INVALID_EVENTS,
    NOT_FOUND,
    OVERLOADED,
    PROBLEMS,
    SIGNATURE_WRONG,
    TOO_MANY_EVENTS,
    VENDOR,
    Problem,
)
from webapp.lib.database import is_unavailable
from webapp.lib.ids import new_request_id

MEDIA_TYPE = "application/problem+json"

_BY_STATUS = {
    problem.status: problem
    for problem in PROBLEMS
    if problem not in {IDENTITY_CONFLICT, INVALID_EVENTS, SIGNATURE_WRONG, BACKLOG_FULL, TOO_MANY_EVENTS}
}


_BY_LIMIT = {errors.BacklogFull: BACKLOG_FULL, errors.EventsTooFast: TOO_MANY_EVENTS}


class Refusal(Exception):
    """Ends a request with `problem`; raised by this interface only, never by the core."""

    def __init__(
        self,
        problem: Problem,
        detail: str,
        *,
        faults: Sequence[errors.Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})


def respond(
    problem: Problem,
    detail: str,
    *,
    faults: Sequence[errors.Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer that states `problem` (RFC 9457 §3.1), with each fault under `errors`."""
    body: dict[str, object] = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "instance": f"urn:uuid:{request_id()}",
    }
    if faults:
        body["errors"] = [{"pointer": fault.where, "detail": fault.what} for fault in faults]
    return Response(
        json.dumps(body, ensure_ascii=False), problem.status, dict(headers or {}), content_type=MEDIA_TYPE
    )


def request_id() -> str:
    """This request's id: the one that its log lines carry, or a new one."""
    known = g.get("request_id")
    if known is None:
        known = g.request_id = new_request_id()
    return str(known)


def explain(error: errors.HitchpostError) -> Response:
    """An error of the core as a problem."""
    problem, headers = problem_of(error)
    faults: Sequence[errors.Fault] = ()
    if isinstance(error, errors.IdentityConflict):
        faults = error.faults
    elif isinstance(error, errors.Invalid):
        faults = [_placed(fault) for fault in error.faults]
    return respond(problem, str(error), faults=faults, headers=headers)


def problem_of(error: errors.HitchpostError) -> tuple[Problem, dict[str, str]]:
    """The one place where the interface maps our tree of errors: to a problem, and its headers."""
    headers = {}
    match error:
        case errors.Overloaded():
            problem = _BY_LIMIT.get(type(error), OVERLOADED)
            headers = {"Retry-After": str(max(1, ceil(error.retry_after)))}
        case errors.NotFound():
            problem = NOT_FOUND
        case errors.IdentityConflict():
            problem = IDENTITY_CONFLICT
        case errors.Conflict():
            problem = CONFLICT
        case errors.Forbidden():
            problem = FORBIDDEN
        case errors.Invalid():
            problem = INVALID
        case errors.VendorError():
            problem = VENDOR
        case _:
            raise error  # a fault of ours: Flask logs it, and answers 500 by `explain_http`
    return problem, headers


def explain_database(error: SQLAlchemyError) -> Response:
    """The same of a database that is busy or away, no fault of the request; any other error is ours."""
    return explain(busy(error))


def busy(error: SQLAlchemyError) -> errors.Overloaded:
    """What a database that is busy or away comes to. Raises `error` when it is anything else."""
    if is_unavailable(error):
        return errors.Overloaded("The database is busy.")
    raise error


def _placed(fault: errors.Fault) -> errors.Fault:
    """The core names the fields of a form; here they are members of a body, or parameters of a query."""
    in_body = request.method != "GET" and fault.where and not fault.where.startswith("/")
    return errors.Fault(f"/{fault.where}", fault.what) if in_body else fault


def explain_http(error: HTTPException) -> Response:
    """A refusal of the web framework's own, in our form."""
    status = error.code or 500
    problem = _BY_STATUS.get(status, BAD_REQUEST if status < 500 else INTERNAL)
    headers = {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After"}}
    return respond(problem, problem.meaning.partition(". ")[0].removesuffix(".") + ".", headers=headers)
