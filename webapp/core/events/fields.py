"""The fields of an event, checked one by one; each fault says what is wrong and where."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from webapp.errors import Fault
from webapp.providers.receiving import OTLP_TYPES

MAX_CHARACTERS = 512
#: RFC 3339 §5.6, with the zone that it requires
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class Fields:
    """Reads the members of one item and gathers its faults."""

    def __init__(self, item: Mapping[str, Any], where: str) -> None:
        self._item = item
        self._where = where
        self.faults: list[Fault] = []

    def fault(self, name: str, what: str) -> None:
        """Note a fault of the member `name`."""
        self.faults.append(Fault(f"{self._where}/{escape(name)}", what))

    def get(self, name: str) -> Any:
        """The member's value; null counts as absent."""
        return self._item.get(name)

    def text(self, name: str, *, default: str | None = None, missing: str | None = None) -> str | None:
        """A printable string of 1 to 512 characters. `missing`: it is required, and this is why."""
        value = self._item.get(name)
        if value is None:
            if missing is not None:
                self.fault(name, missing)
            return default
        if not isinstance(value, str):
            self.fault(name, "is not a string")
        elif not 0 < len(value) <= MAX_CHARACTERS:
            self.fault(name, f"has {len(value):,} characters, allowed are 1 to {MAX_CHARACTERS}")
        elif not value.isprintable():
            self.fault(name, "holds a character that cannot be printed")
        else:
            return value
        return None

    def type(self, *, missing: str) -> str | None:
        """The type of an event whose body is an envelope."""
        value = self.text("type", missing=missing)
        if value is not None and value.startswith(OTLP_TYPES):
            self.fault("type", f"begins with {OTLP_TYPES}, as only events do that come by OTLP")
        return value

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """One of `choices`, or None."""
        value = self._item.get(name)
        if value is None or (isinstance(value, str) and value in choices):
            return value
        self.fault(name, f"is none of {', '.join(choices)}")
        return None

    def time(self, name: str, default: datetime) -> datetime:
        """An RFC 3339 time with its zone, as UTC."""
        value = self._item.get(name)
        if value is None:
            return default
        moment = parse_time(value) if isinstance(value, str) else None
        if moment is None:
            self.fault(name, "is not an RFC 3339 time with a zone, like 2026-01-31T12:00:00Z")
        return moment or default

    def refuse_others(self, known: Collection[str]) -> None:
        """A fault for every member that is not among `known`: a misspelt field would be lost in silence."""
        for name in self._item:
            if name not in known:
                self.fault(name, "is not a field of an event; what is yours goes into data")


def parse_time(text: str) -> datetime | None:
    """The moment, in UTC; None when `text` is no RFC 3339 time or no calendar has it."""
    parts = _RFC3339.fullmatch(text)
    if parts is None:
        return None
    date, time, fraction, zone = parts.groups(default="")
    try:
        moment = datetime.fromisoformat(f"{date}T{time}{fraction[:7]}{'+00:00' if zone in 'zZ' else zone}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def escape(name: str) -> str:
    """One step of a JSON Pointer, cut where a name is too long to be shown."""
    return name[:100].replace("~", "~0").replace("/", "~1")
