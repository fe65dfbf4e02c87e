"""Reading Baselime's answers to events: its words, and which events it lists as invalid.

The docs say that rejected events "will be listed in the body under the `invalid` key" and not in which
shape. So an entry may be the event itself, an object around it, either as JSON text, its place in the
batch, or its id.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from webapp.errors import Invalid
from webapp.lib import strict_json
from webapp.lib.http import ANSWER_BYTES, Response
from webapp.lib.secret import Secret
from webapp.providers.receiving import OutgoingEvent

_WORDS_CHARACTERS = 300
_DEFAULT_REASON = "Baselime listed it as invalid"
_REASON_KEYS = ("reason", "error", "message", "description")


def is_plain(response: Response) -> bool:
    """Whether a 2xx can be the vendor's own: empty or JSON, not some proxy's page."""
    body = response.body.strip()
    return not body or _parse(body) is not None


def words(response: Response, secrets: Mapping[str, Secret]) -> str:
    """The vendor's `message`, or else the answer's text: one line, capped, without what is secret."""
    parsed = _parse(response.body)
    if isinstance(parsed, dict) and isinstance(parsed.get("message"), str):
        said = parsed["message"]
    else:
        said = response.body[: _WORDS_CHARACTERS * 4].decode("utf-8", errors="replace")
    return tidy(said, secrets) or f"HTTP {response.status}"


def tidy(said: str, secrets: Mapping[str, Secret]) -> str:
    """`said` as it may be kept and shown: one line, capped, without what is secret."""
    for secret in secrets.values():
        said = said.replace(secret.reveal(), "***")
    line = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    return line[:_WORDS_CHARACTERS]


def invalid_entries(response: Response) -> Sequence[Any]:
    """What stands under `invalid`; empty when the answer has no such list."""
    parsed = _parse(response.body)
    entries = parsed.get("invalid") if isinstance(parsed, dict) else None
    return entries if isinstance(entries, list) else ()


def match(entries: Sequence[Any], events: Sequence[OutgoingEvent]) -> tuple[dict[int, str], int]:
    """Which of `events` the entries speak of (index → reason), and how many entries name none of them."""
    places = _Places(events)
    rejected: dict[int, str] = {}
    strangers = 0
    for entry in entries:
        found = places.find(entry)
        if found is None:
            strangers += 1
        else:
            rejected[found[0]] = found[1][:_WORDS_CHARACTERS]
    return rejected, strangers


class _Places:
    """Where in the batch an event is, by (id, source), and by id alone where that is unambiguous."""

    def __init__(self, events: Sequence[OutgoingEvent]) -> None:
        self._count = len(events)
        self._by_identity: dict[tuple[str, str], int] = {}
        self._by_id: dict[str, int | None] = {}
        for at, event in enumerate(events):
            name = str(json.loads(event.body)["id"])
            self._by_identity[name, event.source] = at
            self._by_id[name] = None if name in self._by_id else at

    def find(self, entry: Any) -> tuple[int, str] | None:
        if isinstance(entry, str):
            inner = _parse(entry.encode())
            if isinstance(inner, dict | list):
                return self.find(inner)
            return self._known(self._by_id.get(entry), _DEFAULT_REASON)
        if isinstance(entry, int):
            return self._known(entry, _DEFAULT_REASON)
        return self._find_in(entry) if isinstance(entry, dict) else None

    def _find_in(self, entry: Mapping[str, Any]) -> tuple[int, str] | None:
        itself = self._place_of(entry)
        if itself is not None:
            return itself, _DEFAULT_REASON
        reason = next(
            (entry[key] for key in _REASON_KEYS if isinstance(entry.get(key), str)), _DEFAULT_REASON
        )
        for key, value in entry.items():
            inner = _parse(value.encode()) if isinstance(value, str) else value
            place = self._place_of(inner) if isinstance(inner, dict) else None
            if place is None and key in {"index", "position"}:
                place = value
            known = self._known(place, reason)
            if known:
                return known
        return self._known(self._by_id.get(str(entry.get("id"))), reason)

    def _place_of(self, item: Mapping[str, Any]) -> int | None:
        return self._by_identity.get((str(item.get("id")), str(item.get("source"))))

    def _known(self, place: Any, reason: str) -> tuple[int, str] | None:
        inside = isinstance(place, int) and not isinstance(place, bool) and 0 <= place < self._count
        return (place, reason) if inside else None


def _parse(body: bytes) -> Any:
    try:
        return strict_json.loads(body, max_bytes=ANSWER_BYTES)
    except Invalid:
        return None
