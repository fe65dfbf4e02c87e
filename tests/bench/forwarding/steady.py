"""A steady load: so many requests a second over several connections, whatever the answers' times."""

import http.client
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.bench.forwarding import load, stage

CONNECTIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """`rate` requests a second of `events` each, for `users` in turn."""

    where: stage.Stage
    users: Sequence[str]
    rate: float
    events: int = 1

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Until the block ends."""
        over = threading.Event()
        with self._sending(over, sys.maxsize):
            try:
                yield
            finally:
                over.set()

    def send(self, seconds: float) -> int:
        """For so long; how many requests that were."""
        each = max(1, int(self.rate * seconds / CONNECTIONS))
        with self._sending(threading.Event(), each):
            return each * CONNECTIONS

    @contextmanager
    def _sending(self, over: threading.Event, each: int) -> Iterator[None]:
        """One thread a connection; whatever is not accepted fails the block."""
        faults: list[object] = []
        threads = [
            threading.Thread(target=self._push, args=(at, each, over, faults)) for at in range(CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            for thread in threads:
                thread.join()
        assert not faults, faults[:3]

    def _push(self, number: int, requests: int, over: threading.Event, faults: list[object]) -> None:
        url = f"{self.where.instance.url}/api/v1/events"
        users = [*self.users[number:], *self.users[:number]]
        asked = load.Load(url=url, seconds=0, events=self.events, key=self.where.key, users=" ".join(users))
        address, gap, made = urlsplit(url), CONNECTIONS / self.rate, load.requests(asked)
        next_ = time.monotonic() + gap * number / CONNECTIONS
        with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)) as line:
            for request in made:
                if requests == 0 or over.wait(max(0.0, next_ - time.monotonic())):
                    break
                requests -= 1
                next_ += gap
                try:
                    status = _ask(line, request)
                except OSError as error:
                    faults.append(error)
                    break
                if status != 202:
                    faults.append(status)


def _ask(line: http.client.HTTPConnection, request: bytes) -> int:
    """Send what is whole already, and read the answer."""
    if line.sock is None:
        line.connect()
    line.sock.sendall(request)
    answer = http.client.HTTPResponse(line.sock, method="POST")
    answer.begin()
    answer.read()
    return answer.status
