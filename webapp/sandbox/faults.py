"""Faults to switch on: which vendor's endpoint misbehaves how, and how many times."""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

ENDPOINTS: dict[str, tuple[str, ...]] = {
    "baselime": ("token", "environments", "events"),
    "baselime_otel": ("traces", "metrics", "logs"),
    "last9": (
        "token",
        "change_events",
        "datasources",
        "clusters",
        "organization",
        "prom_label_values",
        "prom_query",
        "prom_query_instant",
    ),
    "librato": (
        "api_tokens",
        "annotations",
        "links",
        "measurements",
        "metrics",
        "alerts",
        "services",
        "spaces",
    ),
}

KINDS: dict[str, str] = {
    "status": "answers status (500) with body, before doing anything",
    "delay": "waits delay seconds (1), then goes on as usual",
    "drop": "closes the connection without doing anything and without an answer",
    "drop_after": "does what was asked, then closes the connection without an answer",
    "html": "answers an HTML page with status (502), before doing anything",
    "rate_limited": "answers 429 (or status), with Retry-After when retry_after is given",
    "poison": "refuses a body in which marker occurs: at the Events API only the events that hold it, "
    "named under invalid; elsewhere, or with a status, the whole request",
    "empty": "does what was asked, then answers 200 with an empty body",
    "truncate": "does what was asked, then closes the connection in the middle of the body",
    "bad_json": "does what was asked, then answers JSON that breaks off",
    "slow": "does what was asked, then lets the answer trickle over delay seconds (1)",
    "expired": "takes every access token for expired",
    "revoked": "takes every refresh token for revoked",
    "rotate": "answers each refresh with a new refresh token; an old one used again revokes its family",
}

_REFRESHED = {("baselime", "token"), ("last9", "token")}
_MEANINGFUL: dict[str, set[tuple[str, str]]] = {
    "revoked": _REFRESHED,
    "rotate": _REFRESHED,
    "expired": {("baselime", "environments"), *(("last9", one) for one in ENDPOINTS["last9"][1:])},
}
"""Kinds that only some endpoints can have; the others can befall any."""


class UnknownFaultError(ValueError):
    """A fault that cannot be switched on; the text says which can."""


@dataclass
class Fault:
    """One fault; `times` counts down to nothing, None means until cleared."""

    vendor: str
    endpoint: str
    kind: str
    times: int | None = None
    status: int | None = None
    delay: float = 1
    retry_after: int | None = None
    body: Any = None
    marker: str | None = None

    def befalls(self, vendor: str, endpoint: str) -> bool:
        return self.vendor == vendor and self.endpoint in ("*", endpoint)


def parse(data: Mapping[str, object]) -> Fault:
    """Read a fault from the control API, or raise UnknownFaultError."""
    known = set(Fault.__dataclass_fields__)
    if unknown := sorted(set(data) - known):
        raise UnknownFaultError(f"unknown field {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    for name in ("vendor", "endpoint", "kind"):
        if not isinstance(data.get(name, ""), str):
            raise UnknownFaultError(f"{name} is a text")
    fault = Fault(**{"endpoint": "*", "vendor": "", "kind": "", **data})  # type: ignore[arg-type]  # checked below
    _check_names(fault)
    _check_values(fault)
    return fault


def _check_names(fault: Fault) -> None:
    if fault.vendor not in ENDPOINTS:
        raise UnknownFaultError(f"unknown vendor {fault.vendor!r}; known are {', '.join(ENDPOINTS)}")
    endpoints = ("*", *ENDPOINTS[fault.vendor])
    if fault.endpoint not in endpoints:
        raise UnknownFaultError(
            f"unknown endpoint {fault.endpoint!r} of {fault.vendor}; known are {', '.join(endpoints)}"
        )
    if fault.kind not in KINDS:
        raise UnknownFaultError(f"unknown kind {fault.kind!r}; known are {', '.join(KINDS)}")
    places = _MEANINGFUL.get(fault.kind)
    here = {(fault.vendor, one) for one in endpoints if fault.endpoint in ("*", one)}
    if places is not None and not places & here:
        words = ", ".join(sorted(" ".join(place) for place in places))
        raise UnknownFaultError(f"{fault.kind} can befall only {words}")


def _check_values(fault: Fault) -> None:
    if fault.times is not None and not _whole(fault.times, at_least=1):
        raise UnknownFaultError("times is a whole number from 1, or left out")
    if fault.status is not None and not (_whole(fault.status, at_least=200) and fault.status <= 599):
        raise UnknownFaultError("status is a whole number from 200 to 599")
    if fault.retry_after is not None and not _whole(fault.retry_after, at_least=0):
        raise UnknownFaultError("retry_after is a whole number of seconds")
    if not _number(fault.delay):
        raise UnknownFaultError("delay is a number of seconds")
    if (fault.kind == "poison") != isinstance(fault.marker, str) or fault.marker == "":
        raise UnknownFaultError("poison, and only poison, has a marker: the text that is not taken")


def _whole(value: object, at_least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= at_least


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


class FaultBoard:
    """The faults now switched on, safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def listed(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def take(
        self, vendor: str, endpoint: str, kinds: Collection[str], accepts: Callable[[Fault], bool] = bool
    ) -> Fault | None:
        """Return the oldest accepted fault of these kinds for this request, and spend one of its times."""
        return next(iter(self._taken(vendor, endpoint, kinds, accepts, most=1)), None)

    def take_all(
        self, vendor: str, endpoint: str, kinds: Collection[str], accepts: Callable[[Fault], bool] = bool
    ) -> list[Fault]:
        """Return every accepted fault of these kinds for this request, and spend one time of each."""
        return self._taken(vendor, endpoint, kinds, accepts, most=None)

    def _taken(
        self,
        vendor: str,
        endpoint: str,
        kinds: Collection[str],
        accepts: Callable[[Fault], bool],
        most: int | None,
    ) -> list[Fault]:
        with self._lock:
            fitting = [one for one in self._faults if one.befalls(vendor, endpoint) and one.kind in kinds]
            taken = [one for one in fitting if accepts(one)][:most]
            for fault in taken:
                self._spend(fault)
        return taken

    def _spend(self, fault: Fault) -> None:
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times == 0:
            self._faults.remove(fault)
