"""A line holds named fields only, libraries are quiet, and what looks like a secret does not come out."""

import ast
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import structlog

from tests.waiting import wait_for
from webapp.lib import logs

REQUESTS = logging.getLogger("access")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged as JSON; the logging of the test run is put back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("json", stream=stream)
    yield stream
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def _lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_names_what_happened_and_its_fields(written: io.StringIO) -> None:
    logs.get("webapp.core.refresh").info("refreshed", connection_id="c1", milliseconds=12)
    (line,) = _lines(written)
    assert line["event"] == "refreshed"
    assert line["connection_id"] == "c1"
    assert line["milliseconds"] == 12
    assert line["level"] == "info"
    assert line["logger"] == "webapp.core.refresh"
    assert line["timestamp"].endswith("Z")


def test_a_field_that_nobody_allowed_is_left_out_and_named(written: io.StringIO) -> None:
    logs.get("x").info("refreshed", access_token="AT-canary-1", status=200)
    (line,) = _lines(written)
    assert "AT-canary-1" not in written.getvalue()
    assert line["words"] == "left out: access_token"
    assert line["status"] == 200


def test_the_vendors_words_are_capped(written: io.StringIO) -> None:
    logs.get("x").warning("refused", words="w" * 1000)
    assert len(_lines(written)[0]["words"]) == 300


def test_libraries_are_heard_from_warning_up(written: io.StringIO) -> None:
    for name in (
        "celery.worker.strategy",
        "httpx2",
        "urllib3.connectionpool",
        "authlib",
        "werkzeug",
        "kombu",
    ):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("trouble")
    assert [line["event"] for line in _lines(written)] == ["trouble"] * 6


def test_a_traceback_of_a_library_shows_no_local_variable(written: io.StringIO) -> None:
    def call() -> None:
        refresh_token = "RT-canary-2"
        raise ValueError(len(refresh_token))

    try:
        call()
    except ValueError:
        logging.getLogger("celery.app.trace").exception("task failed")
    assert "RT-canary-2" not in written.getvalue()
    assert "ValueError: 11" in written.getvalue()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abcdef123456789", "abcdef123456789"),
        ("GET https://hitchpost.example/install/baselime/callback?code=canary42", "canary42"),
        ("https://api.example/x?a=b&access_token=canary42", "canary42"),
        ("redis://:canary42@10.0.0.1:6379/0", "canary42"),
        ("postgresql://hitchpost:canary42@db/hitchpost", "canary42"),
        ('{"refreshToken": "canary42"}', "canary42"),
        ("{'clientSecret': 'canary42'}", "canary42"),
        ("x-api-key: canary42", "canary42"),
        ("api_key=canary42", "canary42"),
        ("password = canary42", "canary42"),
        ("Set-Cookie: canary42", "canary42"),
        ("presented hp_ab12cd34_mdHaGHX1RO9uQ1zLdWMBRaF5bTLmMc_00LzM8tm6hPM", "mdHaGHX1RO9uQ1zLdWMB"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2ln", "eyJzdWIiOiJjYW5hcnkifQ"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_as_the_last_resort(
    written: io.StringIO, text: str, secret: str
) -> None:
    logging.getLogger("somebody").error(text)
    assert "***" in written.getvalue()
    assert secret not in written.getvalue()


@pytest.mark.parametrize(
    "text",
    ["connection 0198-aa is degraded: no answer (ConnectTimeout)", "status=401 after 12 ms", "code 503"],
)
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert logs.redact(text) == text


def test_every_field_that_our_code_logs_is_one_that_comes_out() -> None:
    checkout = Path(logs.__file__).parents[2]
    left_out = {
        f"{path.relative_to(checkout)}:{call.lineno} {word.arg}"
        for room in ("webapp", "workers")
        for path in (checkout / room).rglob("*.py")
        for call in _log_calls(ast.parse(path.read_text()))
        for word in call.keywords
        if word.arg not in logs.FIELDS | {"exc_info"}
    }
    assert left_out == set()


def _log_calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            logger = node.func.value
            if isinstance(logger, ast.Name) and logger.id in {"log", "_log"}:
                yield node


class Slow(io.StringIO):
    """A stream on which the first line waits until it may go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.may_go = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        assert self.may_go.wait(10)
        return super().write(text)


def test_nobody_waits_for_a_line_that_is_being_written(written: io.StringIO) -> None:
    stream = Slow()
    logs.configure("json", stream=stream)
    first = threading.Thread(target=logs.get("x").info, args=("first",))
    first.start()
    assert stream.entered.wait(10)
    logs.get("x").info("second")  # whoever writes the first takes it along
    logs.get("x").info("third")
    stream.may_go.set()
    first.join()
    assert [line["event"] for line in _lines(stream)] == ["first", "second", "third"]


def test_lines_of_many_threads_are_whole_and_none_is_missing(written: io.StringIO) -> None:
    def tell(who: int) -> None:
        for at in range(200):
            logs.get("x").info(f"{who} {at}")

    threads = [threading.Thread(target=tell, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [line["event"].split() for line in _lines(written)]
    for who in range(8):
        assert [int(at) for one, at in told if int(one) == who] == list(range(200))


def test_lines_that_come_very_often_are_written_a_little_later_and_together(written: io.StringIO) -> None:
    for at in range(3):
        logs.tell(REQUESTS, "request", {"count": at})
    assert written.getvalue() == ""
    wait_for(lambda: written.getvalue().count("\n") == 3, seconds=10)
    assert [line["count"] for line in _lines(written)] == [0, 1, 2]
    logs.tell(REQUESTS, "request", {"count": 3})
    wait_for(lambda: written.getvalue().count("\n") == 4, seconds=10)


def test_however_many_tell_at_once_one_thread_writes_for_all(written: io.StringIO) -> None:
    before, ready = _clerks(), threading.Barrier(16)

    def tell() -> None:
        ready.wait()
        for _ in range(200):
            logs.tell(REQUESTS, "request", {"count": 1})

    threads = [threading.Thread(target=tell) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _clerks() - before == 1
    wait_for(lambda: written.getvalue().count("\n") == 3_200, seconds=10)


def test_a_thread_that_could_not_begin_is_tried_again(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
        logs.tell(REQUESTS, "request", {"count": 1})
    assert written.getvalue() == ""
    logs.tell(REQUESTS, "request", {"count": 2})
    wait_for(lambda: written.getvalue().count("\n") == 2, seconds=10)


def _clerks() -> int:
    return sum(thread.name == "log" for thread in threading.enumerate())


def test_any_other_line_takes_along_those_that_were_told_before_it(written: io.StringIO) -> None:
    logs.tell(REQUESTS, "request", {"count": 1})
    logs.get("x").info("second")
    assert [line["event"] for line in _lines(written)] == ["request", "second"]


_FORK = """
import logging, os, sys
from tests.waiting import wait_for
from webapp.lib import logs

logs.configure("json", stream=open(sys.argv[1], "a"))
logs.tell(logging.getLogger("access"), "of the parent", {})
if child := os.fork():
    sys.exit(os.waitpid(child, 0)[1])
logs.tell(logging.getLogger("access"), "of the child", {})
wait_for(lambda: "of the child" in open(sys.argv[1]).read(), seconds=10)
os._exit(0)
"""


def test_a_forked_process_writes_its_own_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    argv = [sys.executable, "-W", "ignore", "-c", _FORK, str(log)]
    subprocess.run(argv, check=True, timeout=60, cwd=Path(logs.__file__).parents[2])
    assert "of the parent" in log.read_text()


def test_what_was_gathered_is_written_when_the_process_ends() -> None:
    told = "import logging; from webapp.lib import logs; logs.configure(); "
    told += "logs.tell(logging.getLogger('access'), 'at the end', {})"
    argv = [sys.executable, "-c", told]
    done = subprocess.run(argv, check=True, timeout=60, capture_output=True, text=True)
    assert done.stderr.count("at the end") == 1
