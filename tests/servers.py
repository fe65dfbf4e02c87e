"""Whole instances as real processes that a test may kill: `hitchpost run`, or those of the Procfile."""

import itertools
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.error import URLError
from urllib.request import urlopen

from tests import instances
from tests.services import processes

CHECKOUT = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent
#: What an orderly end may take: 25 s for what is under way, and a moment to leave.
GRACE_SECONDS = 30.0


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
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def pause(self) -> None:
        """SIGSTOP, with every child, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, how: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, how)

    def kill_children(self) -> None:
        """Kill -9 to its children alone."""
        for child in children_of(self.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    def interrupt(self) -> int:
        """Ctrl-C, as a terminal sends it: to every process of the group at once; its status."""
        os.killpg(self.pid, signal.SIGINT)
        return self.stop(signal.SIGINT)

    def stop(self, how: signal.Signals = signal.SIGTERM, *, within: float = 10.0) -> int:
        """Stop it as asked, or by SIGKILL after so many seconds, and give back its status."""
        assert self._process is not None
        processes.end(self._process, how, within=within)
        return self._process.returncode


def stop_together(programs: Collection[Program], *, within: float = 10.0) -> None:
    """Stop those that run, as asked and all at once."""
    running = [program for program in programs if not program.ended()]
    with ThreadPoolExecutor(len(running) or 1) as pool:
        list(pool.map(lambda program: program.stop(within=within), running))


def children_of(pid: int) -> list[int]:
    """The processes that `pid` has started and that still run."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


@dataclass(frozen=True, slots=True)
class Host:
    """Where programs run: their address there, and the command that takes another one there."""

    address: str = "127.0.0.1"
    under: Sequence[str] = ()


HERE = Host()


class Instance(Protocol):
    """A whole instance: `kill` and `end` take one of `parts`, likelier ones named often.

    `mend` starts the dead.
    `url` is what clients call; `doors` are the addresses its web processes listen on.
    """

    url: str
    doors: Sequence[str]
    parts: tuple[str, ...]
    programs: Mapping[str, Program]
    environment: dict[str, str]

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self, part: str) -> None: ...
    def end(self, part: str) -> None: ...
    def mend(self) -> None: ...


class Embedded:
    """`hitchpost run`: web, worker and beat in one process, and gunicorn's parent above it."""

    parts = ("worker", "worker", "worker", "all")

    def __init__(
        self,
        folder: Path,
        database_url: str,
        *,
        public_url: str = "",
        extra: Mapping[str, str] | None = None,
        **more: str,
    ) -> None:
        """`public_url` when something stands in front; `extra` goes into its environment as it is."""
        port = processes.free_port()
        self.doors = [f"http://127.0.0.1:{port}"]
        self.url = public_url or self.doors[0]
        self.environment = instances.environment(database_url, port=str(port), public_url=self.url, **more)
        argv = [str(PROGRAMS / "hitchpost"), "run"]
        self.program = Program(argv, self.environment | dict(extra or {}), folder / "run.log")
        self.programs = {"all": self.program}

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
        if not self.program.ended():
            self.program.stop(within=GRACE_SECONDS)

    def mend(self) -> None:
        if self.program.ended():
            self.program.start()


class Separate:
    """The processes of the Procfile, so many of each: `web`, `web2`, `worker`, `worker2`, `beat`."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        broker_url: str,
        *,
        public_url: str = "",
        webs: int = 1,
        workers: int = 1,
        beats: int = 1,
        extra: Mapping[str, str] | None = None,
        hosts: Sequence[Host] = (),
        **more: str,
    ) -> None:
        """`public_url` when something stands in front; `extra` goes into their environment as it is.

        On `hosts` the first of each kind runs on the first, and so on; without any, all run here.
        """
        ports = [processes.free_port() for _ in range(webs)]
        hosts = hosts or [HERE] * max(webs, workers, beats)
        self.doors = [f"http://{host.address}:{port}" for host, port in zip(hosts, ports, strict=False)]
        self.url = public_url or self.doors[0]
        self.environment = instances.environment(
            database_url, broker_url=broker_url, public_url=self.url, **more
        )
        shell = self.environment | dict(extra or {})
        self.programs = {
            _name(kind, n): _of_procfile(kind, n, shell | more, folder, hosts[n])
            for kind, each in (
                ("web", [{"PORT": str(port), "WEB_WORKERS": "1"} for port in ports]),
                ("worker", [{}] * workers),
                ("beat", [{}] * beats),
            )
            for n, more in enumerate(each)
        }
        often = {"web": 2, "worker": 3, "beat": 1}
        named = [[name] * often[name.rstrip("0123456789")] for name in self.programs]
        self.parts = (*itertools.chain(*named), "all")

    def start(self) -> None:
        self.mend()

    def stop(self) -> None:
        stop_together(self.programs.values())

    def kill(self, part: str) -> None:
        for name, program in self.programs.items():
            if part in {name, "all"}:
                program.kill()

    def end(self, part: str) -> None:
        """Stop a part in order."""
        for name, program in self.programs.items():
            if part in {name, "all"} and not program.ended():
                program.stop(within=GRACE_SECONDS)

    def mend(self) -> None:
        for program in self.programs.values():
            if program.ended():
                program.start()


def number_of(name: str) -> int:
    """Which of its kind a program is, from 0 on."""
    digits = name.lstrip("abcdefghijklmnopqrstuvwxyz")
    return int(digits) - 1 if digits else 0


def _name(kind: str, number: int) -> str:
    return f"{kind}{number + 1}" if number else kind


def _of_procfile(kind: str, number: int, environment: Mapping[str, str], folder: Path, host: Host) -> Program:
    lines = (CHECKOUT / "Procfile").read_text().splitlines()
    commands = dict(line.split(": ", 1) for line in lines if ": " in line)
    shell = {
        **environment,
        "HOST": host.address,
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT),
    }
    command = f"cd {shlex.quote(str(CHECKOUT))} && exec {commands[kind]}"
    return Program([*host.under, "sh", "-c", command], shell, folder / f"{_name(kind, number)}.log")


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
