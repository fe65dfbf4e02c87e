"""Error pages: the one place where the pages map our tree of errors. Each says what to do next."""

from dataclasses import dataclass

import structlog
from flask import Response, g, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError, SecurityError

from webapp import errors
from webapp.lib import logs

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What a person is told: what happened, and the one thing to do."""

    status: int
    title: str
    text: str
    retry_after: float | None = None


_BY_STATUS = {
    400: ErrorPage(
        400, "That address or form could not be read", "Go back and try again from the page before."
    ),
    403: ErrorPage(403, "This is not allowed", "If you think it should be, ask an admin."),
    404: ErrorPage(
        404,
        "There is no such page here",
        "Or it is not yours to see. Check the address, or start from the list of connections.",
    ),
    405: ErrorPage(405, "This address takes no such request", "Open the page and use its buttons."),
    413: ErrorPage(413, "That was too much at once", "Send less and try again."),
    429: ErrorPage(429, "Too many tries", "Wait a little, then try again."),
    500: ErrorPage(
        500,
        "Something went wrong here",
        "It is our fault, not yours. Try again; if it stays, give an admin the number below.",
    ),
}
_OUT_OF_DATE = ErrorPage(
    403,
    "This page was out of date",
    "It was opened before your sign-in changed, so nothing was done. Go back, reload it, and try again.",
)


def of_ours(error: errors.HitchpostError) -> Response:
    """A page for an error of our tree."""
    match error:
        case errors.NotFound():
            # The words would tell a stranger's thing from a missing one.
            page = _BY_STATUS[404]
        case errors.Forbidden():
            page = ErrorPage(403, "This is not allowed", str(error))
        case errors.Conflict():
            page = ErrorPage(409, "This cannot be done now", str(error))
        case errors.Invalid():
            page = ErrorPage(422, "Something in what you sent is wrong", str(error))
        case errors.Overloaded():
            page = ErrorPage(429, "Too many tries", str(error), error.retry_after)
        case errors.VendorError():
            words = f"{error}. Nothing was changed here; try again in a while."
            page = ErrorPage(502, "The vendor did not do it", words)
        case _:
            log_failure(error)
            page = _BY_STATUS[500]
    return _answer(page)


def of_flask(error: HTTPException) -> Response:
    """A page for an error of the web framework; redirects pass through."""
    if error.response is not None:
        return make_response(error.get_response())
    if isinstance(error, SecurityError):
        # Under a name that is not ours no address can be made, so no page drawn.
        return Response("This instance does not answer to that name.\n", 400, content_type="text/plain")
    if isinstance(error, CSRFError):
        return _answer(_OUT_OF_DATE)
    if isinstance(error, InternalServerError):
        return _answer(_BY_STATUS[500])
    status = error.code or 500
    general = _BY_STATUS[400 if status < 500 else 500]
    page = _BY_STATUS.get(status, ErrorPage(status, general.title, general.text))
    response = _answer(page)
    allowed = error.get_headers()
    response.headers.extend([pair for pair in allowed if pair[0] == "Allow"])
    return response


def log_failure(error: BaseException) -> None:
    """Say where a request failed and with what kind of error; its words and variables may hold a secret."""
    _log.error(
        "request failed",
        error=type(error).__name__,
        at=logs.where_of(error),
        route=str(request.url_rule or ""),
        request_id=g.get("request_id"),
    )


def _answer(page: ErrorPage) -> Response:
    if page.status >= 500 and "viewer" not in g:
        g.viewer = None  # who looks could not be found out: asking again would fail again
    whole = request.headers.get("HX-Request") != "true"
    template = "errors/page.html" if whole else "errors/part.html"
    response = make_response(
        render_template(template, page=page, request_id=g.get("request_id")), page.status
    )
    if page.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(page.retry_after)))
    return response
