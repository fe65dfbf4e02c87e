"""Metrics by name, and the older way to send their values: gauges and counters (api-docs, Metrics)."""

import re
import threading
from dataclasses import dataclass, field

from webapp.sandbox.librato.annotations import seconds
from webapp.sandbox.librato.measurements import LARGEST, NAME
from webapp.sandbox.librato.refusals import RefusedError, wrong_request

SOURCE = re.compile(r"[A-Za-z0-9.:_-]{1,255}")
KINDS = {"gauges": "gauge", "counters": "counter"}
OLDEST = 86_400
"""Chosen: "too far in the past" is attested, how far is not."""

Item = dict[str, object]


@dataclass
class Metric:
    """A metric with its properties."""

    name: str
    kind: str
    properties: dict[str, object] = field(default_factory=dict)

    def as_body(self) -> dict[str, object]:
        shown: dict[str, object] = {
            "display_name": None,
            "description": None,
            "period": None,
            "attributes": {},
        }
        return {"name": self.name, "type": self.kind, **shown, **self.properties}


class Metrics:
    """The account's metrics, safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._metrics: dict[str, Metric] = {}

    def forget(self) -> None:
        with self._lock:
            self._metrics.clear()

    def all(self) -> list[Metric]:
        with self._lock:
            return list(self._metrics.values())

    def get(self, name: str) -> Metric | None:
        with self._lock:
            return self._metrics.get(name.lower())

    def meet(self, name: str, kind: str) -> Metric:
        """Return the metric of this name, which its first value makes."""
        with self._lock:
            return self._metrics.setdefault(name.lower(), Metric(name.lower(), kind))

    def remove(self, name: str) -> bool:
        with self._lock:
            return self._metrics.pop(name.lower(), None) is not None


def listed(asked: dict[str, object]) -> list[tuple[str, Item]]:
    """Return each item of a legacy body with its kind, and what the whole says filled in.

    Items come as a list, or as an object by number or by name.
    """
    common = {name: asked[name] for name in ("measure_time", "source", "period") if name in asked}
    items = [
        (kind, {**common, **item}) for group, kind in KINDS.items() for item in _items(asked.get(group) or [])
    ]
    if not items:
        raise wrong_request("Must contain a measurement")
    return items


def _items(group: object) -> list[Item]:
    if isinstance(group, dict):
        group = [{"name": name, **item} for name, item in group.items() if isinstance(item, dict)]
    if not isinstance(group, list) or not all(isinstance(one, dict) for one in group):
        raise wrong_request("gauges and counters are lists or objects of measurements")
    return group


def check(kind: str, item: Item, metrics: Metrics, now: int) -> None:
    """Refuse the whole body for one bad item; keys that are not known are let pass, as seen live."""
    name, source = item.get("name"), item.get("source")
    faults: dict[str, str] = {}
    if not isinstance(name, str) or not NAME.fullmatch(name):
        faults["name"] = "is not present" if name is None else "is not a valid metric name"
    elif (known := metrics.get(name)) and known.kind != kind:
        faults["type"] = f"'{name}' is a {known.kind.upper()}, but was submitted as different type"
    if source is not None and (
        not isinstance(source, str) or not SOURCE.fullmatch(source) or source == "all"
    ):
        faults["source"] = f"{source} is not a valid source name"
    if not _has_value(item):
        faults["value"] = "is not a number"
    if fault := _time_fault(item.get("measure_time", now), now):
        faults["measure_time"] = fault
    if faults:
        params = {part: [text] for part, text in faults.items()}
        raise RefusedError(400, {"errors": {"params": params}, "request_time": now})


def _time_fault(value: object, now: int) -> str | None:
    try:
        return "is too far in the past" if seconds(value) < now - OLDEST else None
    except ValueError as fault:
        return str(fault)


def _has_value(item: Item) -> bool:
    needed = ("value",) if "value" in item else ("count", "sum")
    return all(_numeric(item.get(name)) for name in needed)


def _numeric(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    try:
        return abs(float(value)) <= LARGEST
    except (ValueError, OverflowError):
        return False
