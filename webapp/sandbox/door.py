"""The door of a vendor: every request comes in here, meets the faults, and is written down."""

import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response

from webapp.sandbox import spoiling
from webapp.sandbox.desk import Desk
from webapp.sandbox.faults import ENDPOINTS, Fault

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_BODY = 20_000_000
"""Bytes read of a request: more than any vendor takes, so that each can refuse in its own words."""

Detail = Callable[[str, bytes], str | None]
"""What to count a request under besides its endpoint, given endpoint and body."""


class Door:
    """WSGI middleware around one vendor's Flask app. Pages pass; API requests meet the faults."""

    def __init__(self, app: Flask, vendor: str, desk: Desk, detail: Detail | None = None) -> None:
        self._flask, self._vendor, self._desk, self._detail = app, vendor, desk, detail
        self._inside: WSGIApplication = app.wsgi_app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        body = read_body(environ)
        endpoint = self._endpoint(environ).partition(".")[0]
        if endpoint not in ENDPOINTS[self._vendor]:
            return self._inside(environ, start_response)
        answer = self._answer(environ, endpoint, body)
        if answer is None:
            raise spoiling.Dropped
        return answer(environ, start_response)

    def _endpoint(self, environ: "WSGIEnvironment") -> str:
        adapter = self._flask.url_map.bind_to_environ(environ)
        try:
            return str(adapter.match()[0])
        except MethodNotAllowed as refusal:
            return str(adapter.match(method=next(iter(refusal.valid_methods or ("GET",))))[0])
        except HTTPException:
            return ""

    def _answer(self, environ: "WSGIEnvironment", endpoint: str, body: bytes) -> Response | None:
        detail = self._detail(endpoint, body) if self._detail else None
        self._desk.recorder.arrived(self._vendor, endpoint, detail)
        answer, fault = self._served(environ, endpoint, body)
        self._desk.recorder.called(
            vendor=self._vendor,
            endpoint=endpoint,
            detail=detail,
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"],
            status=answer and answer.status_code,
            fault=fault and fault.kind,
        )
        return answer

    def _served(
        self, environ: "WSGIEnvironment", endpoint: str, body: bytes
    ) -> tuple[Response | None, Fault | None]:
        where, faults = (self._vendor, endpoint), self._desk.faults
        waited = faults.take(*where, ("delay",))
        if waited:
            self._desk.pause(waited.delay)
        text = body.decode("utf-8", "replace")
        if fault := faults.take(*where, spoiling.BEFORE, lambda one: spoiling.applies(one, endpoint, text)):
            return spoiling.refusal(fault, self._vendor), fault
        answer = Response.from_app(self._inside, environ, buffered=True)
        if fault := faults.take(*where, spoiling.AFTER):
            return spoiling.spoiled(fault, answer, self._desk), fault
        return answer, waited


def read_body(environ: "WSGIEnvironment") -> bytes:
    """Read the whole request body and put it back for the app, whatever its framing.

    A body that was left unread would be taken for the next request of the same connection.
    """
    if environ.get("wsgi.input_terminated"):
        body: bytes | None = environ["wsgi.input"].read(MAX_BODY + 1)
    else:
        length = environ.get("CONTENT_LENGTH") or "0"
        body = environ["wsgi.input"].read(min(int(length), MAX_BODY + 1)) if length.isdecimal() else None
    if body is None or len(body) > MAX_BODY:
        raise spoiling.Dropped
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return body
