"""The quick lane: what host apps ask for again and again, answered before Flask.

A plain request that sends events, or asks for an access token, costs more in the framework around it than in
itself. The lane answers it on WSGI, by the same functions and with the same headers as the operation behind
it. What is unusual in any way goes on to that operation, and so does what failed: it is refused there, in the
words of `refusals`, as if there were no lane.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl
from uuid import UUID

from werkzeug.datastructures import MultiDict
from werkzeug.sansio.utils import host_is_trusted

from webapp.api.bodies import MAX_BYTES
from webapp.api.callers import admit
from webapp.api.connections import AccessTokenQuery, show_access_token
from webapp.api.events import BACKLOG_HEADER, accept_plain, told
from webapp.api.inputs import as_query
from webapp.api.limits import take_turn
from webapp.api.operations import FAILED
from webapp.core.api_keys import Scope
from webapp.core.runtime import Runtime
from webapp.lib.ids import new_request_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Of such a body nothing but its bytes has to be known. Another type, a coding, a CloudEvent: Flask's.
_JSON = "application/json"
_UNUSUAL = ("HTTP_CONTENT_ENCODING", "HTTP_TRANSFER_ENCODING", "HTTP_CE_SPECVERSION")
_HEX = "[0-9A-Fa-f]"
_UUID = f"({_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}})"
_PLAIN_QUERY = re.compile(r"[\w.=&-]*", re.ASCII)

#: status, body, and the headers that only it has
_Answer = tuple[str, bytes, Mapping[str, str]]


class QuickLane:
    """A WSGI application around another."""

    def __init__(
        self,
        app: "WSGIApplication",
        runtime: Runtime,
        *,
        prefix: str,
        hosts: Iterable[str],
        headers: Mapping[str, str],
    ) -> None:
        """`prefix` is where the interface is; `hosts` are served, and `headers` are on every answer."""
        self._app, self._runtime = app, runtime
        self._events = f"{prefix}/events"
        self._access_token = re.compile(rf"{re.escape(prefix)}/connections/{_UUID}/access-token")
        trusted = list(hosts)
        self._is_ours = lru_cache(maxsize=100)(lambda host: host_is_trusted(host, trusted))
        self._headers = [("Content-Type", _JSON), *headers.items()]

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer, or have it answered."""
        try:
            answer = self._answer(environ)
        except Exception as error:  # noqa: BLE001 - it is raised again where it is answered
            environ[FAILED] = error
            answer = None
        if answer is None:
            return self._app(environ, start_response)
        status, body, more = answer
        own = [("Content-Length", str(len(body))), ("X-Request-Id", new_request_id()), *more.items()]
        start_response(status, self._headers + own)
        return [body]

    def _answer(self, environ: "WSGIEnvironment") -> _Answer | None:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if not self._is_ours(environ.get("HTTP_HOST", "")):
            return None
        if method == "POST" and path == self._events:
            return self._take_events(environ)
        if method == "GET" and (asked := self._access_token.fullmatch(path)):
            return self._hand_out(environ, UUID(asked[1]))
        return None

    def _take_events(self, environ: "WSGIEnvironment") -> _Answer | None:
        length = _length(environ)
        if length is None or environ.get("CONTENT_TYPE") != _JSON or any(map(environ.__contains__, _UNUSUAL)):
            return None
        caller = admit(self._runtime, environ.get("HTTP_AUTHORIZATION", ""), Scope.EVENTS_WRITE)
        body = environ["wsgi.input"].read(length)
        if len(body) < length:  # the sender is gone: Flask has words for that, too
            environ["wsgi.input"] = BytesIO(body)
            return None
        accepted = accept_plain(caller, body)
        more = {BACKLOG_HEADER: f"{accepted.crowded:.0%}"} if accepted.crowded else {}
        return "202 ACCEPTED", told(accepted), more

    def _hand_out(self, environ: "WSGIEnvironment", connection_id: UUID) -> _Answer | None:
        asked = environ.get("QUERY_STRING", "")
        if not _PLAIN_QUERY.fullmatch(asked):
            return None
        caller = admit(self._runtime, environ.get("HTTP_AUTHORIZATION", ""), Scope.CREDENTIALS_READ)
        take_turn(caller.actor.name, quick=True)
        query = as_query(AccessTokenQuery, MultiDict(parse_qsl(asked, keep_blank_values=True)))
        return "200 OK", show_access_token(caller, connection_id, query).model_dump_json().encode(), {}


def _length(environ: "WSGIEnvironment") -> int | None:
    """Of the body in bytes; None when it is not told, or more than is taken."""
    told = environ.get("CONTENT_LENGTH", "")
    if not told.isdecimal() or len(told) > len(str(MAX_BYTES)):
        return None
    return length if (length := int(told)) <= MAX_BYTES else None
