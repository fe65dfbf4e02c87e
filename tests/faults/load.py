"""Host apps that send events one after the other, through every fault, until they are told to stop."""

import http.client
import json
import threading
from urllib.parse import urlsplit

from tests.faults.history import History

ACCEPTED = 202
_PAUSE_SECONDS = 0.01
_AGAIN_SECONDS = 0.05


class Sender(threading.Thread):
    """Sends for one user, the next event only when the one before was acknowledged."""

    def __init__(self, url: str, key: str, user: str, history: History) -> None:
        super().__init__(name=f"sender {user}", daemon=True)
        self._address = urlsplit(url)
        self._key = key
        self._user = user
        self._history = history
        self._over = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self.unexpected: list[int] = []

    def end(self) -> None:
        """Stop after the event under way, acknowledged or not."""
        self._over.set()

    def run(self) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            event_id = f"{self._user}-{number:06d}"
            self._history.note_try(self._user, event_id)
            while not self._over.is_set():
                if self._send(event_id):
                    self._history.note_acknowledged(self._user, event_id)
                    break
                self._over.wait(_AGAIN_SECONDS)
            self._over.wait(_PAUSE_SECONDS)
        self._hang_up()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _send(self, event_id: str) -> bool:
        """Whether a 202 came back; without one, nobody knows."""
        event = {"user": self._user, "id": event_id, "source": "campaign", "type": "tick", "time": _TIME}
        try:
            if self._connection is None:
                host = f"{self._address.hostname}:{self._address.port}"
                self._connection = http.client.HTTPConnection(host, timeout=10)
            headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
            self._connection.request("POST", "/api/v1/events", json.dumps(event), headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._hang_up()
            return False
        if answer.status not in {ACCEPTED, 429, 503}:
            self.unexpected.append(answer.status)
        return answer.status == ACCEPTED


#: The same each time: an event sent again is the same event.
_TIME = "2026-01-31T12:00:00Z"
