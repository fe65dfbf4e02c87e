"""The sandbox on real sockets: six ports, keep-alive, faults on the wire, a clean end."""

import http.client
import json
import logging
import random
import threading
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from webapp.sandbox import Sandbox, serve
from webapp.sandbox.door import MAX_BODY
from webapp.sandbox.server import Handler
from webapp.sandbox.world import PORTS


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serve(0) as running:
        yield running


def connect(sandbox: Sandbox, name: str, host: str = "127.0.0.1") -> http.client.HTTPConnection:
    return http.client.HTTPConnection(host, urlsplit(sandbox.urls[name]).port, timeout=5)


def control(sandbox: Sandbox, method: str, path: str, body: object = None) -> dict[str, object]:
    asked = urllib.request.Request(  # noqa: S310 — the sandbox's own address
        sandbox.urls["console"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310 — as above
        return dict(json.load(answer))


def ingest_key(sandbox: Sandbox) -> str:
    environment = sandbox.world.baselime.accounts.by_name("acme", "prod")
    assert environment is not None
    return environment.api_key


def serve_anywhere() -> Sandbox:
    """Start on a row of ports below those that the system hands out."""
    for base in random.sample(range(20_000, 30_000, 10), 50):
        try:
            return serve(base)
        except OSError:
            continue
    pytest.fail("no six free ports in a row")


def send(connection: http.client.HTTPConnection, sandbox: Sandbox, body: str = '[{"n": 1}]') -> int:
    headers = {"x-api-key": ingest_key(sandbox), "Content-Type": "application/json"}
    connection.request("POST", "/v1/logs", body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_six_ports_answer_and_are_named(sandbox: Sandbox) -> None:
    assert tuple(sandbox.urls) == PORTS
    assert len({urlsplit(url).port for url in sandbox.urls.values()}) == 6
    assert all(urlsplit(url).hostname == "localhost" for url in sandbox.urls.values())
    assert control(sandbox, "GET", "/api/counts") == {}
    for name in PORTS:
        connection = connect(sandbox, name)
        connection.request("GET", "/")
        assert connection.getresponse().status in (200, 400, 404, 405)
        connection.close()


def test_localhost_may_be_either_address(sandbox: Sandbox) -> None:
    for host in ("127.0.0.1", "::1"):
        connection = connect(sandbox, "console", host)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()


def test_ports_stand_in_a_row_and_a_taken_one_is_named() -> None:
    with serve_anywhere() as sandbox:
        ports = [urlsplit(url).port or 0 for url in sandbox.urls.values()]
        assert ports == list(range(ports[0], ports[0] + 6))
        assert sandbox.world.desk.settings.last9_host == f"localhost:{ports[4]}"
        with pytest.raises(OSError, match=f"port {ports[2]} is taken"):
            serve(ports[2])


def test_one_connection_serves_request_after_request(sandbox: Sandbox) -> None:
    connection = connect(sandbox, "baselime_events")
    assert send(connection, sandbox) == 202
    first = connection.sock
    assert [send(connection, sandbox) for _ in range(3)] == [202, 202, 202]
    connection.request("POST", "/v1/logs", '[{"unread": true}]', {"x-api-key": "wrong"})
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (401, b'{"message":"Unauthorised"}\n')
    assert send(connection, sandbox) == 202
    assert connection.sock is first
    connection.close()


def test_a_chunked_body_is_read(sandbox: Sandbox) -> None:
    connection = connect(sandbox, "baselime_events")
    headers = {"x-api-key": ingest_key(sandbox), "Content-Type": "application/json"}
    for _ in range(2):
        connection.request("POST", "/v1/logs", iter([b'[{"n"', b": 1}]"]), headers, encode_chunked=True)
        answer = connection.getresponse()
        assert answer.read() == b'{"message":"Request Accepted"}\n'
    connection.close()
    assert len(sandbox.world.desk.recorder.received()) == 2


@pytest.mark.parametrize(("kind", "taken"), [("drop", 0), ("drop_after", 1)])
def test_a_dropped_connection_ends_without_an_answer(sandbox: Sandbox, kind: str, taken: int) -> None:
    fault = {"vendor": "baselime", "endpoint": "events", "kind": kind, "times": 1}
    control(sandbox, "POST", "/api/faults", fault)
    connection = connect(sandbox, "baselime_events")
    with pytest.raises(http.client.RemoteDisconnected):
        send(connection, sandbox)
    connection.close()
    assert len(sandbox.world.desk.recorder.received()) == taken
    assert send(connection, sandbox) == 202
    connection.close()


def test_a_truncated_answer_breaks_off(sandbox: Sandbox) -> None:
    control(sandbox, "POST", "/api/faults", {"vendor": "baselime", "kind": "truncate"})
    connection = connect(sandbox, "baselime_events")
    with pytest.raises(http.client.IncompleteRead):
        send(connection, sandbox)
    connection.close()


def test_a_body_beyond_everything_ends_the_connection(sandbox: Sandbox) -> None:
    connection = connect(sandbox, "baselime_events")
    with pytest.raises(ConnectionError):
        send(connection, sandbox, " " * (MAX_BODY + 1))
    connection.close()


def test_a_length_that_is_no_number_ends_the_connection(sandbox: Sandbox) -> None:
    connection = connect(sandbox, "baselime_events")
    connection.putrequest("POST", "/v1/logs")
    connection.putheader("Content-Length", "many")
    connection.endheaders()
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()
    connection.close()


def test_logs_never_hold_a_query(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    connection = connect(sandbox, "console")
    connection.request("GET", "/api/received?vendor=baselime")
    connection.getresponse().read()
    connection.close()
    assert "GET /api/received 200" in caplog.text
    assert "vendor=" not in caplog.text


def test_a_connection_that_idles_ends_without_a_word(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Handler, "timeout", 0.2)
    connection = connect(sandbox, "baselime_events")
    assert send(connection, sandbox) == 202
    assert connection.sock.recv(1) == b""
    connection.close()
    assert [record.message for record in caplog.records if record.levelno >= logging.INFO] == []


def test_closing_ends_delays_connections_and_the_wait(sandbox: Sandbox) -> None:
    waiting = threading.Thread(target=sandbox.wait)
    waiting.start()
    idle = connect(sandbox, "baselime_events")
    assert send(idle, sandbox) == 202
    control(sandbox, "POST", "/api/faults", {"vendor": "baselime", "kind": "delay", "delay": 60})
    ends: list[object] = []

    def delayed() -> None:
        connection = connect(sandbox, "baselime_events")
        try:
            ends.append(send(connection, sandbox))
        except OSError as error:
            ends.append(error)
        finally:
            connection.close()

    asking = threading.Thread(target=delayed)
    asking.start()
    sandbox.close()
    for thread in (waiting, asking):
        thread.join(5)
        assert not thread.is_alive()
    with pytest.raises(ConnectionError):
        send(idle, sandbox)
    idle.close()


def test_ready_is_called_when_every_port_answers() -> None:
    called: list[str] = []
    with serve(0, ready=lambda: called.append("ready")):
        assert called == ["ready"]
