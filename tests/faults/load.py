"""Host apps that send events, one or several a request, and the same again until somebody says 202."""

import http.client
import json
import random
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from tests.faults.history import History

ACCEPTED = 202
#: A body that holds it is refused by the vendors.
POISON = "poison-9d41"
TYPES = ("deploy.started", "deploy.done", "flag.changed")

_PAUSE_SECONDS = 0.01
_AGAIN_SECONDS = 0.05
_MOST_AT_ONCE = 40
#: The same each time: an event sent again is the same event.
_TIME = "2026-01-31T12:00:00Z"


class Sender(threading.Thread):
    """Sends for one user, the next request only when the one before was acknowledged, or was given up.

    With a `chance` it sends batches now and then, a poison event now and then, and gives up on some requests
    whose answer was lost, as an impatient app does; without one, single events and no poison.
    """

    def __init__(
        self,
        url: str,
        key: str,
        user: str,
        history: History,
        *,
        name: str = "",
        chance: random.Random | None = None,
        pause: float = _PAUSE_SECONDS,
    ) -> None:
        super().__init__(name=f"sender {name or user}", daemon=True)
        self._address = urlsplit(url)
        self._key = key
        self._user = user
        self._name = name or user
        self._history = history
        self._chance = chance
        self._pause = pause
        self._number = 0
        self._ending = threading.Event()
        self._over = threading.Event()
        self._connection: http.client.HTTPConnection | None = None

    def end(self) -> None:
        """Begin nothing new; what is under way is sent until it is acknowledged."""
        self._ending.set()

    def abandon(self) -> None:
        """End now, acknowledged or not."""
        self._ending.set()
        self._over.set()

    def run(self) -> None:
        while not self._ending.is_set():
            events = self._next()
            told = ((one["id"], one["type"], POISON in json.dumps(one)) for one in events)
            self._history.note_try(self._user, told)
            self._insist(events)
            self._ending.wait(self._pause)
        self._hang_up()

    def _insist(self, events: Sequence[dict[str, Any]]) -> None:
        while not self._over.is_set():
            places = self._send(events)
            if places is not None:
                self._history.note_acknowledged([one["id"] for one in events], places)
                return
            if self._chance is not None and self._chance.random() < 0.01:
                return
            self._over.wait(_AGAIN_SECONDS)

    def _next(self) -> Sequence[dict[str, Any]]:
        chance = self._chance
        if chance is None:
            return [self._event(TYPES[0])]
        count = chance.randint(2, _MOST_AT_ONCE) if chance.random() < 0.15 else 1
        made = [self._event(chance.choice(TYPES)) for _ in range(count)]
        if chance.random() < 0.02:
            chance.choice(made)["data"] = {"note": POISON}
        return made

    def _event(self, type_: str) -> dict[str, Any]:
        self._number += 1
        name = f"{self._name}-{self._number:06d}"
        return {"user": self._user, "id": name, "source": "campaign", "type": type_, "time": _TIME}

    def _send(self, events: Sequence[dict[str, Any]]) -> Sequence[str] | None:
        """The public ids of a 202; without one, nobody knows."""
        body = json.dumps(list(events) if len(events) > 1 else events[0])
        try:
            if self._connection is None:
                host = f"{self._address.hostname}:{self._address.port}"
                self._connection = http.client.HTTPConnection(host, timeout=20)
            headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
            self._connection.request("POST", "/api/v1/events", body, headers)
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            self._history.note_broken()
            self._hang_up()
            return None
        if answer.status == ACCEPTED:
            return [str(place) for place in json.loads(said)["ids"]]
        if answer.status not in {429, 503}:
            self._history.note_unexpected(answer.status)
        return None

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
