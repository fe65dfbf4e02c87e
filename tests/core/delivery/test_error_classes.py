"""What becomes of an event, by vendor and answer: one table, over real sockets, by the real code."""

import json
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from email.utils import format_datetime
from uuid import uuid4

import pytest

from tests import otlp
from webapp.core.delivery.aiming import Aim
from webapp.core.delivery.policy import Step, judge, wait_seconds
from webapp.core.delivery.sending import Answer, send
from webapp.lib import clock
from webapp.lib.http import Http
from webapp.lib.secret import Secret
from webapp.models import AttemptOutcome
from webapp.oauth2_vendors import OAuth2Vendor
from webapp.providers.baselime import Baselime
from webapp.providers.last9 import Last9
from webapp.providers.librato import Librato
from webapp.providers.oauth2 import StandardVendor
from webapp.providers.receiving import OutgoingEvent, Receives, Setback, Target
from webapp.providers.registry import kind_named
from webapp.settings import Settings

KINDS = (
    "baselime.events",
    "baselime.otlp.logs",
    "last9.change_events",
    "librato.annotations",
    "librato.measurements",
    "northwind.cloudevents",
)

# taken   delivered
# dead    it is the event's fault: a dead letter, but only where the same settings and key took another event
# again   tried again by the ladder, and "30 s" later where the vendor asks for it; never a dead letter by it
# slow    the same; the vendor wants less of us
# maybe   possibly delivered: the answer was lost, so it is tried again and shown as such
# key     the key or access token is refused: another is looked for, and the event waits
TABLE = """
                                    Baselime  Baselime  Last9     Librato   Librato   standard
                                    events    OTLP      changes   annotat.  measure.  vendor
    200                           | taken   | taken   | taken   | taken   | taken   | taken
    202                           | taken   | taken   | taken   | taken   | taken   | taken
    200, error in the body        | dead    | taken   | dead    | dead    | dead    | taken
    200, errors in the body       | dead    | taken   | dead    | dead    | dead    | taken
    200, it is listed as invalid  | dead    | taken   | taken   | taken   | taken   | taken
    200, a web page               | again   | again   | again   | again   | again   | again
    307 elsewhere                 | again   | again   | again   | again   | again   | again
    400                           | dead    | dead    | dead    | dead    | dead    | dead
    400, it is listed as invalid  | dead    | dead    | dead    | dead    | dead    | dead
    400, token expired            | dead    | dead    | key     | dead    | dead    | dead
    400, a token in its JSON      | dead    | dead    | dead    | dead    | dead    | dead
    401                           | key     | key     | key     | key     | key     | key
    403                           | key     | key     | key     | key     | key     | key
    403, a limit in words         | key     | key     | key     | slow    | slow    | key
    403, a web page               | again   | again   | again   | again   | again   | again
    404                           | again   | again   | again   | again   | again   | again
    405                           | again   | again   | again   | again   | again   | again
    408                           | again   | again   | again   | again   | again   | again
    409                           | again   | again   | again   | again   | again   | again
    410                           | again   | again   | again   | again   | again   | again
    413                           | dead    | dead    | dead    | dead    | dead    | dead
    413, a web page               | dead    | dead    | dead    | dead    | dead    | dead
    415                           | again   | again   | again   | again   | again   | again
    422                           | dead    | dead    | dead    | dead    | dead    | dead
    429                           | slow    | slow    | slow    | slow    | slow    | slow
    429, after 30 s               | slow 30 | slow 30 | slow 30 | slow 30 | slow 30 | slow 30
    429, after a date             | slow 90 | slow 90 | slow 90 | slow 90 | slow 90 | slow 90
    429, after a day              | slow 3600 | slow 3600 | slow 3600 | slow 3600 | slow 3600 | slow 3600
    500                           | again   | again   | again   | again   | again   | again
    502, a web page               | again   | again   | again   | again   | again   | again
    503, after 30 s               | again 30| again 30| again 30| again 30| again 30| again 30
    503, after a date             | again 90| again 90| again 90| again 90| again 90| again 90
    nobody listens                | again   | again   | again   | again   | again   | again
    silence before it was sent    | again   | again   | again   | again   | again   | again
    silence after it was sent     | maybe   | maybe   | maybe   | maybe   | maybe   | maybe
    hangs up on it                | maybe   | maybe   | maybe   | maybe   | maybe   | maybe
    resets the connection         | maybe   | maybe   | maybe   | maybe   | maybe   | maybe
    breaks off its answer         | maybe   | maybe   | maybe   | maybe   | maybe   | maybe
"""
ROWS = [[cell.strip() for cell in line.split("|")] for line in TABLE.splitlines() if "|" in line]
ENVELOPE = {"id": "e-1", "source": "ci", "type": "deployment", "data": {"duration": 1.5}}

BODIES = {
    "error in the body": {"error": "unknown data source"},
    "errors in the body": {"errors": {"params": {"title": ["is odd"]}}},
    "it is listed as invalid": {"message": "Bad Request", "invalid": [ENVELOPE]},
    "token expired": {"error": "Authorization token is expired"},
    "a token in its JSON": {"error": "unexpected token < in JSON"},
    "a limit in words": {"request_time": 1, "error": "You have hit the API limit for measurements"},
}
WAITS: dict[str, Callable[[], str]] = {
    "after 30 s": lambda: "30",
    "after a date": lambda: format_datetime(clock.now() + timedelta(seconds=95), usegmt=True),
    "after a day": lambda: "86400",
}
#: Seconds that may pass until silence is taken for what it is.
PATIENCE = 0.15


def written(name: str) -> bytes:
    """The answer of that name, as it is on the wire."""
    status, _, more = name.replace(" elsewhere", ", elsewhere").partition(", ")
    headers, body = {"Content-Type": "application/json"}, b""
    if more == "a web page":
        headers, body = {"Content-Type": "text/html"}, b"<!doctype html><title>Bad gateway</title>"
    elif more == "elsewhere":
        headers["Location"] = "https://elsewhere.example/"
    elif more in BODIES:
        body = json.dumps(BODIES[more]).encode()
    elif more:
        headers["Retry-After"] = WAITS[more]()
    lines = [f"HTTP/1.1 {status} Said", *(f"{key}: {value}" for key, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "Connection: close", "", ""]).encode() + body


class Vendor(socketserver.ThreadingTCPServer):
    """Whoever is called: reads one request and does what `says` names."""

    daemon_threads = True
    allow_reuse_address = True
    says = ""

    def finish_request(self, request: socket.socket, _address: object) -> None:  # type: ignore[override]
        request.settimeout(5)
        if self.says != "silence before it was sent":
            self._read(request)
        if self.says == "resets the connection":
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.close()
        elif self.says == "breaks off its answer":
            request.sendall(b"HTTP/1.1 202 Said\r\nContent-Length: 9\r\n\r\nhal")
        elif self.says.startswith("silence"):
            while request.recv(65_536):
                pass
        elif self.says[0].isdigit():
            request.sendall(written(self.says))

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        request.close()  # without a farewell, so that a reset stays one

    def _read(self, request: socket.socket) -> None:
        with request.makefile("rb") as file:
            head = list(iter(file.readline, b"\r\n"))
            size = next(
                int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length")
            )
            file.read(size)


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with Vendor(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def aim_at(kind: str, base: str) -> Aim:
    """A destination of that kind, whose vendor is at `base`."""
    names = ("BASELIME_EVENTS_URL", "BASELIME_OTEL_URL", "LAST9_URL", "LIBRATO_URL")
    settings = Settings.load({f"HITCHPOST_{name}": base for name in names})
    northwind = OAuth2Vendor(
        title="N", issuer="https://id.example", client_id="c", events_url=f"{base}/events"
    )
    providers: dict[str, Receives] = {
        "baselime": Baselime(settings),
        "last9": Last9(settings),
        "librato": Librato(settings),
        "northwind": StandardVendor("northwind", northwind, settings),
    }
    declared = kind_named(kind)
    assert declared is not None
    return Aim(
        provider=providers[kind.partition(".")[0]],
        kind=declared,
        target=Target(
            kind=kind,
            account_key="acme",
            environment_key="prod",
            settings={"types": ["*"], "dataset": "logs", "fields": "duration"},
            details={"host": "app.last9.io"},
            secrets={name: Secret("s" * 32) for name in ("ingest_key", "access_token", "api_token")},
        ),
        environment_id=uuid4(),
        connection_id=uuid4(),
        credential_id=uuid4(),
        user_id=uuid4(),
        troubled=False,
        generation=1,
        witness="1:1",
    )


def event_for(kind: str) -> OutgoingEvent:
    if kind.startswith("baselime.otlp"):
        return otlp.event(1, "logs")
    body = json.dumps(ENVELOPE | {"time": "2026-01-31T12:00:00Z"}).encode()
    return OutgoingEvent(
        seq=1, type="deployment", source="ci", subject=None, state=None, time=clock.now(), body=body
    )


def told(answer: Answer) -> str:
    """The word of the table for what becomes of a lone event."""
    verdict = judge(answer, witnessed=True, failures=0, batch_limit=None, batch_events=1)
    if verdict.step is Step.GO_ON:
        return "dead" if verdict.dead else "taken"
    assert (verdict.settled, verdict.dead) == (0, {})
    if verdict.step is Step.FIND_KEY:
        return "key"
    assert verdict.step is Step.WAIT
    if verdict.outcome is AttemptOutcome.POSSIBLY_DELIVERED:
        return "maybe"
    word = "slow" if answer.reading.setback is Setback.RATE_LIMITED else "again"
    wait = wait_seconds(answer.reading, 1, draw=0.0)
    return word if wait < 1 else f"{word} {wait // 10 * 10:.0f}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_an_answer_does_to_an_event_is_as_the_table_says(vendor: Vendor, row: list[str]) -> None:
    vendor.says, *expected = row
    base = f"http://127.0.0.1:{vendor.server_address[1]}"
    if vendor.says == "nobody listens":
        base = "http://127.0.0.1:1"
    elif vendor.says == "silence before it was sent":
        base = base.replace("http", "https")
    deadline = PATIENCE if vendor.says.startswith("silence") else 5.0
    found = []
    with closing(Http(allow_private=True, deadline=deadline)) as http:
        for kind in KINDS:
            answer = send(http, aim_at(kind, base), [event_for(kind)])
            found.append(told(answer))
            if found[-1] == "dead":
                alone = judge(answer, witnessed=False, failures=0, batch_limit=None, batch_events=1)
                assert (alone.step, alone.settled) == (Step.SUSPECT, 0), "never without a witness"
    assert found == expected
