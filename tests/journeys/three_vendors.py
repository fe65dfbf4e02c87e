"""One event, three vendors: somebody has all three connected, and every event arrives in each, in order.

`python -m tests.journeys.three_vendors` measures it on `hitchpost run` with SQLite, and prints the figures.
"""

import http.client
import json
import statistics
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests import instances, seeding, servers, vendors
from tests.vendors import Vendors
from tests.waiting import wait_for
from webapp.sandbox import Sandbox, serve

NAMES = ("baselime", "last9", "librato")
USER = "u1"
_ACCEPTED = 202


@dataclass(frozen=True)
class Result:
    """What came of it."""

    #: the subjects sent, in the order of the stream
    sent: list[str]
    #: the subjects that each vendor took, in the order of arrival
    arrived: dict[str, list[str]]
    #: of each event that was sent alone: from its 202 until the last of the three had it
    seconds: list[float]


def embedded(folder: Path, *, alone: int = 5, together: int = 20) -> Result:
    """On `hitchpost run` and SQLite."""
    url = f"sqlite:///{folder / 'hitchpost.db'}"
    with serve(port=0) as sandbox:
        instance = servers.Embedded(folder, url, **vendors.addresses(sandbox.urls))
        return _walk(instance, sandbox, url, alone, together)


def separate(
    folder: Path, database_url: str, broker_url: str, *, alone: int = 5, together: int = 20
) -> Result:
    """On the Procfile's processes, PostgreSQL and Redis."""
    with serve(port=0) as sandbox:
        instance = servers.Separate(folder, database_url, broker_url, **vendors.addresses(sandbox.urls))
        return _walk(instance, sandbox, database_url, alone, together)


def _walk(
    instance: servers.Instance, sandbox: Sandbox, database_url: str, alone: int, together: int
) -> Result:
    key = _connect_all(sandbox, database_url)
    instance.start()
    try:
        wait_for(lambda: servers.is_ready(instance.url), seconds=60)
        sent = ["warm"]
        _send(instance.url, key, sent)
        _wait(sandbox, len(sent))
        seconds = []
        for number in range(alone):
            sent.append(f"alone-{number}")
            began = _send(instance.url, key, sent[-1:])
            _wait(sandbox, len(sent))
            seconds.append(time.monotonic() - began)
        sent += (burst := [f"burst-{number}" for number in range(together)])
        _send(instance.url, key, burst)
        _wait(sandbox, len(sent))
        return Result(sent, {name: _arrived(sandbox, name) for name in NAMES}, seconds)
    finally:
        instance.stop()


def _connect_all(sandbox: Sandbox, database_url: str) -> str:
    """One user with all three vendors connected and a destination in each; the host app's API key."""
    around = Vendors(sandbox)
    with instances.running(database_url, **vendors.addresses(sandbox.urls)) as runtime:
        seeding.connect(runtime, sandbox.urls["console"], USER)
        who = vendors.sign_in(runtime, USER)
        for name, kind in (("last9", "last9.change_events"), ("librato", "librato.annotations")):
            connection = vendors.connect(runtime, who, name, around.pasted(name))
            vendors.forward(runtime, connection.id, kind)
        return seeding.api_key(runtime)


def _send(url: str, key: str, subjects: list[str]) -> float:
    """Send events as the host app does, in one request; the moment of its 202."""
    events = [
        {"user": USER, "id": name, "source": "ci", "type": "deployment", "subject": name} for name in subjects
    ]
    address = urlsplit(url)
    with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)) as connection:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        connection.request("POST", "/api/v1/events", json.dumps(events), headers)
        answer = connection.getresponse()
        moment = time.monotonic()
        body = answer.read()
    if answer.status != _ACCEPTED:
        raise AssertionError(f"{answer.status}: {body[:300]!r}")
    return moment


def _wait(sandbox: Sandbox, count: int) -> None:
    recorder = sandbox.world.desk.recorder
    wait_for(lambda: all(len(recorder.received(name)) >= count for name in NAMES), seconds=20, pause=0.001)


def _arrived(sandbox: Sandbox, name: str) -> list[str]:
    taken: list[Any] = [one.event for one in sandbox.world.desk.recorder.received(name)]
    if name == "baselime":
        return [event["subject"] for event in taken]
    if name == "last9":
        return [event["attributes"]["service_name"] for event in taken]
    return [event["title"].rpartition(" ")[2] for event in taken]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        result = embedded(Path(folder), alone=20)
    whole = all(arrived == result.sent for arrived in result.arrived.values())
    sys.stdout.write(
        f"{len(result.sent)} events, in all three inboxes once and in order: {'yes' if whole else 'NO'}; "
        f"accepted → in the last of them: median {statistics.median(result.seconds) * 1000:.0f} ms, "
        f"longest {max(result.seconds) * 1000:.0f} ms\n"
    )


if __name__ == "__main__":
    main()
