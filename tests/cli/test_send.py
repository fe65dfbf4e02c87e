"""`hitchpost send` from a shell or a CI step: one event, many, and what its status says."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.cli.conftest import Call, Done
from webapp.cli.send import delivering

ACCEPTED = {"accepted": 1, "duplicates": 0, "ids": ["x-1"]}


class Instance:
    """Takes events, and says first what `say` holds."""

    def __init__(self, server: HTTPServer, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url = server.url_for("").rstrip("/")
        self.requests: list[Any] = []
        self.keys: list[str] = []
        self.say: list[Response] = []
        self._call, self._monkeypatch = call, monkeypatch
        server.expect_request("/api/v1/events", method="POST").respond_with_handler(self._take)

    def _take(self, request: Request) -> Response:
        self.requests.append(request.get_json())
        self.keys.append(request.headers["Authorization"])
        return self.say.pop(0) if self.say else Response(json.dumps(ACCEPTED), 202)

    def send(self, *arguments: str, stdin: str | bytes = "", **environment: str) -> Done:
        body = stdin.encode() if isinstance(stdin, str) else stdin
        self._monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(body)))
        known = {"HITCHPOST_URL": self.url, "HITCHPOST_API_KEY": "hp_x_y"}
        return self._call("send", *arguments, **(known | environment))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited; none of it in earnest."""
    waited: list[float] = []
    monkeypatch.setattr(delivering, "pause", waited.append)
    return waited


@pytest.fixture
def instance(
    httpserver: HTTPServer, call: Call, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> Iterator[Instance]:
    yield Instance(httpserver, call, monkeypatch)
    httpserver.check_assertions()


def problem(status: int, title: str, **headers: str) -> Response:
    body = {
        "title": title,
        "detail": "Mend it.",
        "errors": [{"pointer": "/type", "detail": "is missing: say what happened"}],
    }
    return Response(
        json.dumps(body), status, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def test_an_event_from_options_is_sent_as_it_was_said(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "more.json").write_text('{"tags": [1], "version": "0"}')
    done = instance.send(
        *("--user", "u_1", "--type", "deployment", "--subject", "shop", "--state", "stop", "--id", "d-1"),
        *("--source", "ci", "--time", "2026-01-02T03:04:05Z"),
        *("--data", "@more.json", "--data", "version=1.10", "--data", "ok:=true", "--data", "empty="),
    )
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, ACCEPTED, "")
    assert instance.requests == [
        {
            "user": "u_1",
            "type": "deployment",
            "subject": "shop",
            "state": "stop",
            "id": "d-1",
            "source": "ci",
            "time": "2026-01-02T03:04:05Z",
            "data": {"tags": [1], "version": "1.10", "ok": True, "empty": ""},
        }
    ]
    assert instance.keys == ["Bearer hp_x_y"]


def test_without_more_an_event_has_a_type_and_an_id_of_its_own(instance: Instance) -> None:
    assert [instance.send("--type", "deployment").returncode for _ in range(2)] == [0, 0]
    first, second = instance.requests
    assert first.keys() == second.keys() == {"type", "id"}
    assert first["id"] != second["id"]


def test_data_may_come_from_stdin(instance: Instance) -> None:
    instance.send("--type", "t", "--data", "-", stdin='{"a": 1}')
    assert instance.requests[0]["data"] == {"a": 1}


@pytest.mark.parametrize(
    "stdin",
    [
        '{"type": "a", "id": "1"}\n{"type": "b", "id": "2", "user": "u_2"}\n\n',
        '[{"type": "a", "id": "1"},\n {"type": "b", "id": "2", "user": "u_2"}]',
    ],
    ids=["a line each", "an array"],
)
def test_events_from_stdin_are_filled_up_by_the_options(instance: Instance, stdin: str) -> None:
    assert instance.send("--user", "u_1", "--source", "ci", stdin=stdin).returncode == 0
    assert instance.requests == [
        [
            {"type": "a", "id": "1", "user": "u_1", "source": "ci"},
            {"type": "b", "id": "2", "user": "u_2", "source": "ci"},
        ]
    ]


def test_one_pretty_event_from_stdin_is_one_event(instance: Instance) -> None:
    instance.send(stdin='{\n  "type": "a",\n  "id": "1"\n}\n')
    assert instance.requests == [{"type": "a", "id": "1"}]


def test_a_long_input_is_several_requests(instance: Instance) -> None:
    large = json.dumps({"type": "a", "id": "large", "data": {"x": "y" * 5_490_000}})
    lines = "\n".join([*(json.dumps({"type": "a", "id": str(n)}) for n in range(2_500)), large])
    assert instance.send(stdin=lines).returncode == 0
    *arrays, alone = instance.requests
    assert [len(request) for request in arrays] == [1000, 1000, 500]
    assert [event["id"] for request in arrays for event in request] == [str(n) for n in range(2_500)]
    assert alone["id"] == "large"


def test_what_cannot_be_taken_now_is_sent_again_with_the_same_id(
    instance: Instance, waits: list[float]
) -> None:
    instance.say = [problem(503, "Not now", Retry_After="7"), problem(429, "Too fast", Retry_After="0")]
    done = instance.send("--type", "deployment")
    assert done.returncode == 0
    assert len({request["id"] for request in instance.requests}) == 1
    assert len(instance.requests) == 3
    assert waits[0] == 7.0
    assert 0 < waits[1] <= 2.0
    assert "503 Not now" in done.stderr
    assert "again in 7.0 s" in done.stderr


def test_what_is_refused_is_told_with_every_fault_and_not_sent_again(instance: Instance) -> None:
    instance.say = [problem(422, "Some events have faults")]
    done = instance.send("--type", "deployment")
    assert (done.returncode, done.stdout) == (1, "")
    assert "422 Some events have faults: Mend it." in done.stderr
    assert "/type is missing" in done.stderr
    assert len(instance.requests) == 1


def test_who_is_led_elsewhere_is_told_where_to_look(instance: Instance) -> None:
    instance.say = [Response(status=301, headers={"Location": "https://elsewhere.example"})]
    done = instance.send("--type", "deployment")
    assert done.returncode == 1
    assert "HITCHPOST_URL" in done.stderr


def test_it_gives_up_in_time(instance: Instance, waits: list[float]) -> None:
    instance.say = [problem(503, "Not now", Retry_After="30")]
    assert instance.send("--type", "deployment", "--retry-for", "20").returncode == 3
    unreachable = instance.send("--type", "t", "--retry-for", "0", HITCHPOST_URL="http://127.0.0.1:9")
    assert unreachable.returncode == 3
    assert "no connection could be made" in unreachable.stderr
    assert waits == []


def test_the_key_comes_from_the_environment_or_a_file_and_never_from_an_argument(
    instance: Instance, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("hp_file_key\n")
    assert instance.send("--type", "t", HITCHPOST_API_KEY="", HITCHPOST_API_KEY_FILE="key").returncode == 0
    assert instance.keys == ["Bearer hp_file_key"]
    told = instance.send("--type", "t", HITCHPOST_API_KEY="")
    assert told.returncode == 2
    assert "HITCHPOST_API_KEY" in told.stderr
    assert instance.send("--type", "t", "--key", "hp_x_y").returncode == 2
    assert instance.send("--type", "t", HITCHPOST_API_KEY="a\nb").returncode == 2


def test_no_setting_of_a_server_is_needed_or_read(instance: Instance, tmp_path: Path) -> None:
    faulty = {"HITCHPOST_STAGE": "production", "HITCHPOST_VAULT_KEYS": "nonsense"}
    assert instance.send("--type", "t", **faulty).returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        ([], "", "holds no event"),
        ([], "[]", "its array is empty"),
        ([], "7", "each is a JSON object"),
        ([], '{"a": 1}\n{"a": NaN}', "line 2 of stdin holds NaN"),
        ([], "{nonsense", "is not JSON"),
        (["--data", "a=1"], "", "--data goes with --type"),
        (["--type", "t", "--data", "nonsense"], "", "none of KEY=TEXT"),
        (["--type", "t", "--data", "=x"], "", "none of KEY=TEXT"),
        (["--type", "t", "--data", "a:={"], "", "is not JSON"),
        (["--type", "t", "--data", "@nowhere"], "", "No such file"),
        (["--type", "t", "--data", "-"], "[1]", "is not a JSON object"),
        (["--type", "t", "--state", "over"], "", "over"),
    ],
)
def test_a_command_that_is_wrong_says_what_and_sends_nothing(
    instance: Instance, arguments: list[str], stdin: str, words: str
) -> None:
    done = instance.send(*arguments, stdin=stdin)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert instance.requests == []
