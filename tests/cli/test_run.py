"""`hitchpost run` and `demo` as real processes: they come up, stop in order, and find everything again."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from tests import instances, servers
from tests.services import processes
from tests.waiting import wait_for
from webapp.lib.database import Database
from webapp.models import Process


def _is_free(port: int) -> bool:
    return not servers.is_taken(port)


class Demo:
    """`hitchpost demo` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.port, self.sandbox_port = processes.free_port(), servers.free_six()
        plain = {name: value for name, value in os.environ.items() if not name.startswith("HITCHPOST_")}
        ports = {"HITCHPOST_PORT": str(self.port), "HITCHPOST_SANDBOX_PORT": str(self.sandbox_port)}
        self.program = servers.Program(
            [str(servers.PROGRAMS / "hitchpost"), "demo", "--home", str(folder / "var")],
            plain | ports,
            folder / "demo.log",
            alone=True,
        )

    def start(self) -> str:
        """Start it and give back what it says until it is up."""
        self.program.log.unlink(missing_ok=True)
        self.program.start()
        wait_for(lambda: self.program.ended() or "Ctrl-C stops" in self.said(), seconds=60)
        assert servers.answers(f"http://127.0.0.1:{self.port}"), self.said()
        return self.said()

    def said(self) -> str:
        """All that it wrote."""
        return self.program.log.read_text() if self.program.log.exists() else ""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path)
    yield demo
    if not demo.program.ended():
        demo.program.kill()


def test_the_demo_prints_three_addresses_and_the_first_sign_in(demo: Demo) -> None:
    said = demo.start()
    assert f"http://127.0.0.1:{demo.port}" in said
    assert f"http://localhost:{demo.sandbox_port} " in said
    assert f"http://localhost:{demo.sandbox_port + 1} " in said
    assert re.search(r"First admin +admin@example\.com\n +Password +\S{15,}\n", said)


def test_ctrl_c_stops_both_and_the_next_start_finds_everything(demo: Demo) -> None:
    first = demo.start()
    assert demo.program.interrupt() == 0
    assert _is_free(demo.port)
    assert all(_is_free(port) for port in range(demo.sandbox_port, demo.sandbox_port + 6))
    assert "Traceback" not in demo.said()
    assert demo.start() == first
    demo.program.stop(signal.SIGTERM)


def test_the_sandbox_ends_with_a_demo_that_was_killed(demo: Demo) -> None:
    demo.start()
    demo.program.kill()
    wait_for(lambda: _is_free(demo.sandbox_port), seconds=10)


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[servers.Embedded]:
    url = f"sqlite:///{tmp_path / 'hitchpost.db'}"
    instances.migrate(url)
    instance = servers.Embedded(tmp_path, url)
    yield instance
    if not instance.program.ended():
        instance.program.kill()


def test_one_file_has_one_server(embedded: servers.Embedded, tmp_path: Path) -> None:
    embedded.start()
    wait_for(lambda: servers.answers(embedded.url), seconds=60)
    second = servers.Embedded(tmp_path / "second", embedded.environment["HITCHPOST_DATABASE_URL"])
    second.program.log.parent.mkdir()
    second.start()
    wait_for(second.program.ended, seconds=30)
    assert "Another server runs on" in second.program.log.read_text()
    assert servers.answers(embedded.url)


@pytest.mark.parametrize("how", [servers.Program.stop, servers.Program.interrupt])
def test_a_stop_in_order_says_goodbye(
    embedded: servers.Embedded, how: Callable[[servers.Program], int]
) -> None:
    embedded.start()
    wait_for(lambda: servers.is_ready(embedded.url), seconds=60)
    assert how(embedded.program) == 0  # and not -9, which `stop` resorts to after ten seconds
    database = Database(embedded.environment["HITCHPOST_DATABASE_URL"])
    with database.read() as session:
        assert session.scalars(select(Process).where(Process.kind == "worker")).all() == []
    database.close()
    assert "Traceback" not in embedded.program.log.read_text()


def test_a_killed_worker_is_back_within_seconds(embedded: servers.Embedded) -> None:
    embedded.start()
    wait_for(lambda: servers.is_ready(embedded.url), seconds=60)
    embedded.kill("worker")
    wait_for(lambda: servers.answers(embedded.url), seconds=10)


def test_nothing_starts_on_a_missing_key(embedded: servers.Embedded) -> None:
    embedded.program = servers.Program(
        [str(servers.PROGRAMS / "hitchpost"), "run"],
        embedded.environment | {"HITCHPOST_VAULT_KEYS": "k1:short"},
        embedded.program.log,
    )
    embedded.start()
    wait_for(embedded.program.ended, seconds=30)
    assert "HITCHPOST_VAULT_KEYS: key 1" in embedded.program.log.read_text()
