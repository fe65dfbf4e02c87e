"""A token endpoint in Baselime's dialect whose refresh tokens work once: a process that keeps the accounts.

A spent one is taken again for `window` seconds (RFC 9700 §4.14.2 leaves that to the vendor); later its whole
family is revoked. Strict families have no window. What was lost on purpose, or was in the hands of a process
that was killed or stands still, or on its way to it, is no double spend: everything else is.
"""

import argparse
import json
import random
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

#: What a killed process may have had in hand: answers this young, in seconds.
IN_HAND = 4.0


@dataclass
class Family:
    """The tokens of one grant, from the first on."""

    strict: bool
    cycles: int = 0
    revoked: bool = False
    under_way: int = 0


@dataclass
class Spent:
    """A token that was traded."""

    at: float
    #: the process that got the answer
    pid: int
    #: nobody is to blame for asking again
    excused: bool


@dataclass
class Settings:
    """How it behaves; `PUT /settings` changes it."""

    life: float = 30.0
    window: float = 60.0
    #: the share of answers that are lost on the way
    loss: float = 0.0
    delay: float = 0.01
    up: bool = True


class Accounts:
    """Every family and token, and what was counted."""

    def __init__(self, seed: int, strict: float) -> None:
        self.settings = Settings()
        self.counts: Counter[str] = Counter()
        self.revoked: list[str] = []
        self._strict = strict
        self._chance = random.Random(seed)
        self._guard = threading.Lock()
        #: how long before the last kill each token that was spent twice had been traded, and how long ago
        self._twice: list[tuple[float, float]] = []
        self._killed_at = time.monotonic()
        #: processes that were killed or stand still; 0: it was gone when its connection was taken
        self._gone: set[int] = {0}
        self._families: dict[str, Family] = {}
        self._spent: dict[str, Spent] = {}

    def trade(self, text: str, pid: int) -> tuple[int, dict[str, object], bool]:
        """The status and answer for a refresh token of `pid`, and whether it is to be lost on the way."""
        name = text.partition(".")[0]
        with self._guard:
            family = self._families.setdefault(name, Family(strict=self._chance.random() < self._strict))
            self.counts["asked"] += 1
            self.counts["asked by nobody"] += pid == 0
            self.counts["two at once"] += family.under_way > 0
            family.under_way += 1
        time.sleep(self.settings.delay)
        with self._guard:
            family.under_way -= 1
            return self._judge(name, text, family, pid)

    def _judge(self, name: str, text: str, family: Family, pid: int) -> tuple[int, dict[str, object], bool]:
        spent, now = self._spent.get(text), time.monotonic()
        if spent is not None and not family.revoked:
            self.counts["asked again"] += 1
            self.counts["double spends"] += not spent.excused
            if not spent.excused:
                self._twice.append((round(self._killed_at - spent.at, 1), round(now - spent.at, 1)))
            if family.strict or now - spent.at > self.settings.window:
                family.revoked = True
                self.revoked.append(name)
        if family.revoked:
            return 400, {"error": "invalid_grant", "message": "The refresh token was used already"}, False
        lost = self._chance.random() < self.settings.loss
        # An answer that is on its way to a process that is gone is nobody's.
        excused = lost or pid in self._gone
        if spent is None:
            self._spent[text] = Spent(at=now, pid=pid, excused=excused)
        else:
            spent.pid, spent.excused = pid, spent.excused or excused
        family.cycles += 1
        self.counts["traded"] += 1
        self.counts["lost"] += lost
        return 200, self._grant(name, family), lost

    def _grant(self, name: str, family: Family) -> dict[str, object]:
        mark = f"{family.cycles}-{self._chance.randrange(10**9)}"
        return {
            "accessToken": f"access-{name}-{mark}",
            "refreshToken": f"{name}.{mark}",
            "expiresIn": self.settings.life,
            "tokenType": "Bearer",
        }

    def excuse(self, pid: int) -> None:
        """A process was killed or stands still: what it got a moment ago may have been in its hands."""
        with self._guard:
            self._killed_at = time.monotonic()
            self._gone.add(pid)
            young = self._killed_at - IN_HAND
            for spent in self._spent.values():
                spent.excused = spent.excused or (spent.pid == pid and spent.at >= young)

    def welcome(self, pid: int) -> None:
        """It goes on."""
        with self._guard:
            self._gone.discard(pid)

    def read(self) -> dict[str, object]:
        """All that was counted."""
        with self._guard:
            return {
                "counts": dict(self.counts),
                "revoked": list(self.revoked),
                "twice": list(self._twice),
                "cycles": {name: family.cycles for name, family in self._families.items()},
                "settings": asdict(self.settings),
            }


class Door(BaseHTTPRequestHandler):
    """`/oauth/token` for Hitchpost; `/counts`, `/settings`, `/gone` and `/back` for the campaign."""

    protocol_version = "HTTP/1.1"
    # Head and body are written apart: else the second waits for the caller's delayed acknowledgement.
    disable_nagle_algorithm = True
    accounts: Accounts

    def setup(self) -> None:
        super().setup()
        self.pid = 0

    def do_POST(self) -> None:
        asked = self._body()
        if self.path == "/gone":
            self.accounts.excuse(asked["pid"])
            self._answer(200, {})
        elif self.path == "/back":
            self.accounts.welcome(asked["pid"])
            self._answer(200, {})
        elif not self.accounts.settings.up:
            self._answer(503, {"message": "Service Unavailable"})
        else:
            self.pid = self.pid or _owner_of(self.client_address[1], self.server.server_address[1])
            status, answer, lost = self.accounts.trade(asked["refreshToken"], self.pid)
            if lost:
                self.close_connection = True
            else:
                self._answer(status, answer)

    def do_PUT(self) -> None:
        for name, value in self._body().items():
            setattr(self.accounts.settings, name, value)
        self._answer(200, {})

    def do_GET(self) -> None:
        self._answer(200, self.accounts.read())

    def log_message(self, format: str, *_: object) -> None:
        """Nothing: the counts tell."""

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        return body

    def _answer(self, status: int, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Ends with its process, whoever is still connected."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that was killed is no news."""


def _owner_of(port: int, ours: int) -> int:
    """The process at the other end of a connection to our port over loopback; 0: it is gone already."""
    ends = [f"0100007F:{port:04X}", f"0100007F:{ours:04X}"]
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    inodes = {f"socket:[{words[9]}]" for words in map(str.split, lines) if words[1:3] == ends}
    for process in Path("/proc").iterdir() if inodes else ():
        with suppress(OSError):
            if process.name.isdigit() and any(
                str(one.readlink()) in inodes for one in (process / "fd").iterdir()
            ):
                return int(process.name)
    return 0


def main() -> None:
    """Serve until somebody ends the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--strict", type=float, default=0.0)
    asked = parser.parse_args()
    Door.accounts = Accounts(asked.seed, asked.strict)
    Server(("127.0.0.1", asked.port), Door).serve_forever()


if __name__ == "__main__":
    main()
