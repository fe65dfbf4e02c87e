"""The load: a process that keeps so many connections busy for so long, and says what came back.

`python -m tests.bench.forwarding.load '{…}'` with the members of Load prints a Seen, both as JSON. One
thread over epoll and requests that are bytes from the start: what it costs itself is small and told.
"""

import json
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from urllib.parse import urlsplit
from uuid import uuid4

_READ_BYTES = 1 << 20
_GOOD = ("200", "202")
_ITEM = (
    '{"user": "%(user)s", "id": "%(run)s-%%08d", "source": "shop", "type": "deployment",'
    ' "subject": "checkout", "time": "2026-01-31T12:00:00Z",'
    ' "data": {"version": "1.4.2", "commit": "9f8a7b6c5d4e", "by": "ada", "environment": "production",'
    ' "duration": 12.5, "message": "checkout 1.4.2 went out"}}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked: requests of `events` each (0: GET), for `seconds`, at most `most`."""

    url: str
    seconds: float
    most: int = 10**9
    events: int = 0
    key: str = ""
    #: whose the events are, one after the other: external ids with blanks between them
    users: str = ""
    #: kept alive, all the while busy
    connections: int = 16
    #: requests sent on a connection before the first answer
    ahead: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came of it: answers as wished, their times in ms, and the CPU seconds of the load itself."""

    requests: int
    seconds: float
    refused: int
    #: all answers by their status; those that refuse without a word on when to come again
    statuses: Mapping[str, int]
    hasty: int
    median: float
    slowest: float
    cpu: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def run(load: Load) -> Seen:
    """Run it in a process of its own."""
    argv = [sys.executable, "-m", __name__, json.dumps(asdict(load))]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=load.seconds + 60)
    return Seen(**json.loads(done.stdout))


def requests(load: Load) -> Iterator[bytes]:
    """The requests, each with ids of its own."""
    address = urlsplit(load.url)
    head = f"{{}} {address.path or '/'} HTTP/1.1\r\nhost: {address.netloc}\r\n"
    head += f"authorization: Bearer {load.key}\r\n"
    if not load.events:
        while True:
            yield f"{head.format('GET')}\r\n".encode()
    run, number = uuid4().hex[:12], 0
    items = cycle([(_ITEM % {"user": user, "run": run}).encode() for user in load.users.split()])
    for item in items:
        numbers = range(number, number + load.events)
        number += load.events
        body = item % number if load.events == 1 else b"[" + b",".join(item % at for at in numbers) + b"]"
        framing = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        yield f"{head.format('POST')}{framing}".encode() + body


def push(load: Load) -> Seen:
    """Do it, in this process."""
    address = urlsplit(load.url)
    poll, made = select.epoll(), islice(requests(load), load.most)
    clients: dict[int, tuple[socket.socket, bytearray, list[float]]] = {}
    for _ in range(load.connections):
        client = socket.create_connection((address.hostname, address.port or 80), timeout=30)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clients[client.fileno()] = (client, bytearray(), [])
        poll.register(client.fileno(), select.EPOLLIN)
    start = time.monotonic()
    end, times, waiting = start + load.seconds, [], 0
    statuses: Counter[str] = Counter()
    hasty = 0
    for client, _, sent in clients.values():
        begun = list(islice(made, load.ahead))
        client.sendall(b"".join(begun))
        sent.extend([time.monotonic()] * len(begun))
        waiting += len(begun)
    while waiting:
        for number, _ in poll.poll(30):
            client, buffer, sent = clients[number]
            buffer += client.recv(_READ_BYTES)
            now, more = time.monotonic(), b""
            for head in _heads(buffer):
                times.append(now - sent.pop(0))
                status = head[9:12].decode()
                statuses[status] += 1
                hasty += status not in _GOOD and b"\r\nretry-after: " not in head
                waiting -= 1
                if now < end and (request := next(made, b"")):
                    more += request
                    sent.append(now)
                    waiting += 1
            if more:
                client.sendall(more)
    seconds = time.monotonic() - start
    times.sort()
    good = sum(statuses[one] for one in _GOOD)
    median, slowest = times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000
    return Seen(
        requests=good,
        seconds=seconds,
        refused=len(times) - good,
        statuses=dict(statuses),
        hasty=hasty,
        median=median,
        slowest=slowest,
        cpu=time.process_time(),
    )


def _heads(buffer: bytearray) -> Iterator[bytes]:
    """The head of every whole answer in `buffer`, in lower case; the answer is taken out."""
    while (end := buffer.find(b"\r\n\r\n")) >= 0:
        head = bytes(buffer[:end]).lower()
        at = head.find(b"content-length: ")
        length = int(head[at + 16 :].split(b"\r", 1)[0]) if at >= 0 else 0
        if len(buffer) < end + 4 + length:
            return
        yield head
        del buffer[: end + 4 + length]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(push(Load(**json.loads(sys.argv[1]))))))
