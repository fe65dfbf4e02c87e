"""The vendor's own public client program, unchanged, works against the sandbox: PyPI's librato-metrics."""

import gc
import time
from collections.abc import Iterator
from typing import Any

import librato
import pytest
from librato.exceptions import Forbidden, NotFound, Unauthorized

from webapp.sandbox import Sandbox, serve

# That client leaves its sockets open when it raises.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _no_socket_of_it_is_left_to_other_tests() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(port=0) as running:
        yield running


def connect(sandbox: Sandbox, role: str = "admin", token: str = "") -> Any:
    account: Any = sandbox.world.librato.account()
    host = sandbox.urls["librato"].removeprefix("http://")
    return librato.connect(account["email"], token or account["tokens"][role], hostname=host, protocol="http")


@pytest.fixture
def client(sandbox: Sandbox) -> Any:
    sandbox.world.librato.reset()
    return connect(sandbox)


def test_annotations_are_posted_read_and_deleted(client: Any) -> None:
    posted = client.post_annotation(
        "deployments",
        title="v42",
        source="api.1",
        description="by ada",
        start_time=1_000,
        end_time=1_060,
        links=[{"rel": "github", "href": "https://github.example/v42"}],
    )
    assert posted["title"] == "v42"
    (stream,) = client.list_annotation_streams()
    assert stream.name == "deployments"
    found = client.get_annotation_stream("deployments", start_time=900, end_time=1_100)
    assert found.events["api.1"][0]["end_time"] == 1_060
    client.delete_annotation_stream("deployments")
    assert list(client.list_annotation_streams()) == []


def test_measurements_go_out_one_by_one_and_in_a_queue(client: Any, sandbox: Sandbox) -> None:
    client.submit("build.seconds", 12.5, tags={"service": "api"})
    with client.new_queue(tags={"service": "web"}) as queue:
        for value in range(3):
            queue.add("build.seconds", value)
    taken = sandbox.world.librato.measurements.all()
    assert [one.value for one in taken] == [12.5, 0, 1, 2]
    assert {one.tags["service"] for one in taken} == {"api", "web"}
    series = client.get_tagged("build.seconds", start_time=int(time.time()) - 60, resolution=1)["series"]
    assert sum(len(one["measurements"]) for one in series) >= 2


def test_old_gauges_become_metrics(client: Any) -> None:
    client.submit("temperature", 21, description="of the room", source="here")
    assert client.get("temperature").description == "of the room"
    assert [metric.name for metric in client.list_all_metrics()] == ["temperature"]
    client.delete("temperature")
    with pytest.raises(NotFound):
        client.get("temperature")


def test_refusals_are_the_exceptions_that_the_client_knows(client: Any, sandbox: Sandbox) -> None:
    with pytest.raises(Unauthorized):
        connect(sandbox, token="0" * 64).list_metrics()
    with pytest.raises(Forbidden):
        connect(sandbox, "viewer").post_annotation("deployments", title="v42")
    connect(sandbox, "recorder").post_annotation("deployments", title="v42")
    with pytest.raises(Forbidden):
        connect(sandbox, "recorder").delete_annotation_stream("deployments")
