"""What the vendors were asked and what they took, in order of arrival."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Receipt:
    """One item a vendor took: an event, a change event, an annotation, a measurement."""

    n: int
    at: str
    vendor: str
    endpoint: str
    account: str
    event: object
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One request to a vendor; `status` is None when the connection was closed without an answer."""

    n: int
    at: str
    vendor: str
    endpoint: str
    detail: str | None
    method: str
    path: str
    status: int | None
    fault: str | None


def timestamp() -> str:
    """Return the time now as RFC 3339 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Recorder:
    """A memory of requests and of items taken, safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Start again with nothing seen."""
        with self._lock:
            self._receipts: list[Receipt] = []
            self._calls: list[Call] = []
            self._counts: Counter[str] = Counter()

    def take(
        self,
        vendor: str,
        endpoint: str,
        account: str,
        events: Sequence[object],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep these items, in this order, as taken for the account."""
        at = timestamp()
        with self._lock:
            n = len(self._receipts)
            self._receipts += [
                Receipt(n + place, at, vendor, endpoint, account, event, dict(headers or {}))
                for place, event in enumerate(events, start=1)
            ]

    def arrived(self, vendor: str, endpoint: str, detail: str | None) -> None:
        """Count one request, whatever becomes of it."""
        with self._lock:
            self._counts[".".join(filter(None, (vendor, endpoint, detail)))] += 1

    def called(self, **facts: Any) -> None:
        """Keep one request with its outcome; the fields are those of `Call`."""
        with self._lock:
            self._calls.append(Call(n=len(self._calls) + 1, at=timestamp(), **facts))

    def received(
        self, vendor: str | None = None, account: str | None = None, after: int = 0
    ) -> list[Receipt]:
        """Return what was taken since receipt number `after`, oldest first."""
        with self._lock:
            later = self._receipts[after:]
        return [one for one in later if vendor in (None, one.vendor) and account in (None, one.account)]

    def calls(self, vendor: str | None = None, after: int = 0) -> list[Call]:
        """Return the requests since call number `after`, oldest first."""
        with self._lock:
            later = self._calls[after:]
        return [one for one in later if vendor in (None, one.vendor)]

    def counts(self) -> dict[str, int]:
        """Return requests counted by `vendor.endpoint` and, at token endpoints, by kind of grant."""
        with self._lock:
            return dict(sorted(self._counts.items()))
