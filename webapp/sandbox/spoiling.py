"""What a fault does to an answer."""

import json
from collections.abc import Iterator

from werkzeug.wrappers import Response

from webapp.sandbox.desk import Desk
from webapp.sandbox.faults import Fault

BEFORE = ("status", "drop", "html", "rate_limited", "poison")
AFTER = ("drop_after", "empty", "truncate", "bad_json", "slow")

BAD_GATEWAY = (
    "<!doctype html><html><head><title>502 Bad Gateway</title></head>"
    "<body><h1>502 Bad Gateway</h1><p>The server is under maintenance.</p></body></html>"
)


class Dropped(ConnectionAbortedError):
    """The connection is to be closed without (the rest of) an answer."""


def applies(fault: Fault, endpoint: str, text: str) -> bool:
    """Say whether this fault refuses a request with this body as a whole."""
    if fault.kind != "poison":
        return True
    # The Events API picks single events out of a batch and does it itself.
    picks = (fault.vendor, endpoint, fault.status) == ("baselime", "events", None)
    return not picks and (fault.marker or "") in text


def refusal(fault: Fault, vendor: str) -> Response | None:
    """Return the answer given instead of doing anything; None closes the connection."""
    if fault.kind == "drop":
        return None
    if fault.kind == "html":
        return Response(_text(fault, BAD_GATEWAY), fault.status or 502, mimetype="text/html")
    if fault.kind == "rate_limited":
        return _rate_limited(fault, vendor)
    if fault.kind == "poison":
        return _json(fault, fault.status or 400, words(vendor, "Bad Request"))
    return _json(fault, fault.status or 500, words(vendor, "Internal Error"))


def words(vendor: str, text: str) -> object:
    """Shape an error's text as this vendor does."""
    if vendor == "last9":
        return {"error": text}
    return {"errors": {"request": [text]}} if vendor == "librato" else {"message": text}


def _rate_limited(fault: Fault, vendor: str) -> Response:
    status = fault.status or 429
    body = words(vendor, "Too Many Requests")
    if vendor == "librato" and status == 403:
        # As seen live (python-librato, issues 93 and 118): a singular `error`, no `errors`.
        body = {
            "request_time": 1467306906,
            "error": "You have hit the API limit for measurements [measure:raw_rate]. "
            "Contact: support@librato.com to adjust this limit.",
        }
    return _json(fault, status, body)


def _json(fault: Fault, status: int, body: object) -> Response:
    text = _text(fault, json.dumps(body))
    answer = Response(text, status, mimetype="application/json")
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = str(fault.retry_after)
    return answer


def _text(fault: Fault, default: str) -> str:
    if fault.body is None:
        return default
    return fault.body if isinstance(fault.body, str) else json.dumps(fault.body)


def spoiled(fault: Fault, answer: Response, desk: Desk) -> Response | None:
    """Return the answer to a request that was served, as the fault leaves it; None closes the connection."""
    whole = answer.get_data()
    if fault.kind == "drop_after":
        return None
    if fault.kind == "empty":
        return Response(b"", 200)
    if fault.kind == "bad_json":
        answer.set_data(whole[: max(1, len(whole) // 2)].rstrip(b"}] \n") or b"{")
        return answer
    if fault.kind == "truncate":
        answer.response = _broken_off(whole)
        answer.content_length = max(2, len(whole))
    else:
        answer.response = _trickling(whole, fault.delay, desk)
        answer.content_length = len(whole)
    return answer


def _broken_off(whole: bytes) -> Iterator[bytes]:
    yield whole[: len(whole) // 2]
    raise Dropped


def _trickling(whole: bytes, seconds: float, desk: Desk) -> Iterator[bytes]:
    step = max(1, len(whole) // 10)
    pieces = [whole[start : start + step] for start in range(0, len(whole), step)]
    for piece in pieces:
        desk.pause(seconds / len(pieces))
        yield piece
