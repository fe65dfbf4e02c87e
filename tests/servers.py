"""Whole instances as real processes that a test may kill: `hitchpost run`, or those of the Procfile."""

import os
import random
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Protocol
from urllib.error import URLError
from urllib.request import urlopen

from tests import instances
from tests.services import processes

CHECKOUT = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent


class Program:
    """One program of ours, in a process group of its own; it may have children."""

    def __init__(
        self, argv: list[str], environment: Mapping[str, str], log: Path, *, alone: bool = False
    ) -> None:
        """`alone`: with this environment and none of ours."""
        values = [f"{name}={value}" for name, value in environment.items()]
        self._argv = ["env", *(["-i"] if alone else []), *values, *argv]
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it; whoever cares waits until it answers."""
        self._process = processes.start(self._argv, log=self.log)

    def ended(self) -> bool:
        """Whether its main process is gone."""
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        """Kill -9, with every child."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def kill_children(self) -> None:
        """Kill -9 to its children alone."""
        for child in children_of(self.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    def interrupt(self) -> int:
        """Ctrl-C, as a terminal sends it: to every process of the group at once; its status."""
        os.killpg(self.pid, signal.SIGINT)
        return self.stop(signal.SIGINT)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it as asked, and give back its status."""
        assert self._process is not None
        processes.end(self._process, how)
        return self._process.returncode


def children_of(pid: int) -> list[int]:
    """The processes that `pid` has started and that still run."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


class Instance(Protocol):
    """A whole instance: `kill` takes one of `parts`, likelier ones named often; `mend` starts the dead."""

    url: str
    parts: tuple[str, ...]
    environment: dict[str, str]

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self, part: str) -> None: ...
    def end(self, part: str) -> None: ...
    def mend(self) -> None: ...


class Embedded:
    """`hitchpost run`: web, worker and beat in one process, and gunicorn's parent above it."""

    parts = ("worker", "worker", "worker", "all")

    def __init__(self, folder: Path, database_url: str, **more: str) -> None:
        port = processes.free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = instances.environment(database_url, port=str(port), public_url=self.url, **more)
        self.program = Program([str(PROGRAMS / "hitchpost"), "run"], self.environment, folder / "run.log")

    def start(self) -> None:
        self.program.start()

    def stop(self) -> None:
        if not self.program.ended():
            self.program.stop()

    def kill(self, part: str) -> None:
        if part == "all":
            self.program.kill()
        else:
            self.program.kill_children()

    def end(self, part: str) -> None:
        """Stop it in order, whatever the part: they are one program."""
        self.stop()

    def mend(self) -> None:
        if self.program.ended():
            self.program.start()


class Separate:
    """The processes of the Procfile."""

    parts = ("web", "web", "worker", "worker", "worker", "beat", "all")

    def __init__(self, folder: Path, database_url: str, broker_url: str, **more: str) -> None:
        port = processes.free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = instances.environment(
            database_url, broker_url=broker_url, port=str(port), public_url=self.url, **more
        )
        procfile = dict(
            line.split(": ", 1) for line in (CHECKOUT / "Procfile").read_text().splitlines() if ": " in line
        )
        shell = self.environment | {
            "PORT": str(port),
            "WEB_WORKERS": "1",
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "PYTHONPATH": str(CHECKOUT),
        }
        self.programs = {
            name: Program(
                ["sh", "-c", f"cd {shlex.quote(str(CHECKOUT))} && exec {procfile[name]}"],
                shell,
                folder / f"{name}.log",
            )
            for name in ("web", "worker", "beat")
        }

    def start(self) -> None:
        for program in self.programs.values():
            program.start()

    def stop(self) -> None:
        for program in self.programs.values():
            if not program.ended():
                program.stop()

    def kill(self, part: str) -> None:
        for name, program in self.programs.items():
            if part in {name, "all"}:
                program.kill()

    def end(self, part: str) -> None:
        """Stop a part in order."""
        for name, program in self.programs.items():
            if part in {name, "all"} and not program.ended():
                program.stop()

    def mend(self) -> None:
        for program in self.programs.values():
            if program.ended():
                program.start()


def free_six() -> int:
    """The first of six ports in a row that nobody listens on, as the sandbox needs."""
    while True:
        # Below the range from which the system gives every outgoing connection a port.
        first = random.SystemRandom().randrange(20_000, 30_000, 10)
        if not any(is_taken(port) for port in range(first, first + 6)):
            return first


def is_taken(port: int) -> bool:
    """Whether somebody listens there."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Whether the web process answers."""
    return _status(f"{url}/healthz") == 200


def is_ready(url: str) -> bool:
    """Whether everything that `/readyz` asks for is there, a worker among it."""
    return _status(f"{url}/readyz") == 200


def _status(url: str) -> int | None:
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310 - our own process on loopback
            return int(answer.status)
    except (URLError, OSError):
        return None
