"""The access log tells what was asked and answered, and holds no query and no one-time link."""

import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
import structlog
from gunicorn.config import Config

from webapp.lib import logs
from webapp.lib.access_log import AccessLog, plain_path


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("json", stream=stream)
    yield stream
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def _read(written: io.StringIO) -> str:
    """Everything told so far: lines of requests are gathered before they are written."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    return written.getvalue()


def _ask(path: str, query: str = "") -> None:
    config = Config()
    config.set("accesslog", "-")
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "RAW_URI": f"{path}?{query}",
        "HTTP_REFERER": "https://console.example/?code=canary42",
    }
    answer = SimpleNamespace(status="303 See Other", sent=0)
    AccessLog(config).access(answer, None, environ, timedelta(milliseconds=7))


def test_a_request_is_one_line_without_query_or_referer(written: io.StringIO) -> None:
    _ask("/install/baselime/callback", "code=canary42")
    line = json.loads(_read(written))
    assert line["path"] == "/install/baselime/callback"
    assert (line["method"], line["status"], line["milliseconds"]) == ("GET", 303, 7)
    assert "canary42" not in _read(written)


def test_health_checks_are_not_worth_a_line(written: io.StringIO) -> None:
    _ask("/healthz")
    assert _read(written) == ""


def test_gunicorns_own_lines_come_through_our_handler(written: io.StringIO) -> None:
    AccessLog(Config()).info("Listening at: %s", "http://127.0.0.1:8000")
    assert json.loads(_read(written))["event"] == "Listening at: http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/invite/mdHaGHX1RO9uQ1zLdWMBRaF5bTLmMc_00LzM8tm6hPM", "/invite/…"),
        ("/connect/session/mdHaGHX1RO9uQ1zLdWMBRaF5bTLmMc_00LzM8tm6hPM/x", "/connect/session/…/x"),
        (
            "/connections/0198c0de-0000-7000-8000-000000000000",
            "/connections/0198c0de-0000-7000-8000-000000000000",
        ),
        (
            "/api/v1/events/0198c0de000070008000000000000000-123456",
            "/api/v1/events/0198c0de000070008000000000000000-123456",
        ),
        ("/", "/"),
    ],
)
def test_a_long_piece_of_a_path_may_be_a_secret(path: str, shown: str) -> None:
    assert plain_path(path) == shown


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_request_is_told_as_any_other_line_is(written: io.StringIO, form: str) -> None:
    logs.configure(form, stream=written)
    path = "/a path/with='quotes'/\x1b[1m/é"
    _ask(path)
    logs.get("access").info("request", method="GET", path=path, status=303, milliseconds=7)
    quick, usual = (re.sub(r"\d{4}-\d\d-\d\dT[\d:.]{15}Z", "", line) for line in _read(written).splitlines())
    assert quick == usual
