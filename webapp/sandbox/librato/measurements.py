"""Reading tagged measurements, and keeping them (api-docs, Measurements)."""

import math
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from webapp.sandbox.librato.annotations import seconds
from webapp.sandbox.librato.refusals import RefusedError, unreadable_json, wrong_request

NAME = re.compile(r"[A-Za-z0-9.:_-]{1,255}")
TAG_NAME = re.compile(r"[-.:_\w]{1,64}")
TAG_VALUE = re.compile(r"[-.:_?\\/\w ]{1,255}")
MOST_TAGS = 50
LARGEST, SMALLEST = 1e126, 1e-130

ENVELOPE = {"tags", "time", "period", "measurements"}
SUMMARY = ("count", "sum", "min", "max", "last", "stddev", "stddev_m2")
FIELDS = {"name", "value", "time", "period", "tags", "attributes", *SUMMARY}


@dataclass(frozen=True)
class Measurement:
    """One measurement as it is kept: name and tags in lower case, time in Unix seconds."""

    name: str
    time: int
    tags: Mapping[str, str]
    value: float


class Measurements:
    """Every measurement taken, safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: list[Measurement] = []

    def forget(self) -> None:
        with self._lock:
            self._taken.clear()

    def add(self, taken: list[Measurement]) -> None:
        with self._lock:
            self._taken += taken

    def all(self) -> list[Measurement]:
        with self._lock:
            return list(self._taken)

    def named(self, name: str) -> list[Measurement]:
        return [one for one in self.all() if one.name == name.lower()]


def filled(body: object) -> list[dict[str, object]]:
    """Return the measurements of a body, each with the tags, time and period that apply to it.

    Tags of the whole apply only where a measurement has none of its own; they are not merged.
    """
    if not isinstance(body, dict) or set(body) - ENVELOPE:
        raise unreadable_json()
    listed = body.get("measurements")
    if listed is not None and not isinstance(listed, list):
        raise unreadable_json()
    # Chosen: the words are those of the older endpoint, the envelope is not known.
    if not listed:
        raise wrong_request("Must contain a measurement")
    common = {name: body[name] for name in ("tags", "time", "period") if body.get(name)}
    return [common | _own(one) for one in listed]


def _own(item: object) -> dict[str, object]:
    if not isinstance(item, dict) or set(item) - FIELDS:
        raise unreadable_json()
    return {name: value for name, value in item.items() if value not in (None, {})}


def checked(item: Mapping[str, object], now: int) -> Measurement:
    """Return a measurement as it is kept, or refuse the whole body for it."""
    parts = {"value": _value_fault(item), "tags": _tags_fault(item.get("tags", {}))}
    faults = {part: fault for part, fault in parts.items() if fault}
    name = item.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        faults["name"] = "is not present" if name is None else "is not a valid metric name"
    time = _time(item.get("time", now), faults)
    if faults:
        params = {part: [text] for part, text in faults.items()}
        raise RefusedError(400, {"errors": {"params": params}, "request_time": now})
    tags = item.get("tags", {})
    kept = {key.lower(): str(value).lower() for key, value in tags.items()} if isinstance(tags, dict) else {}
    return Measurement(str(name).lower(), time, kept, _value(item))


def _time(value: object, faults: dict[str, str]) -> int:
    try:
        return seconds(value)
    except ValueError as fault:
        faults["time"] = str(fault)
        return 0


def _value_fault(item: Mapping[str, object]) -> str | None:
    given = [name for name in ("value", *SUMMARY) if name in item]
    if not all(is_number(item[name]) for name in given):
        return "is not a number"
    if "value" in item:
        return "cannot be given with count" if "count" in item else None
    if not {"count", "sum"} <= set(given):
        return "is not present: give value, or count and sum"
    return None


def is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value) and abs(value) <= LARGEST
    except OverflowError:
        return False


def _tags_fault(tags: object) -> str | None:
    if not isinstance(tags, dict):
        return "is not an object"
    if len(tags) > MOST_TAGS:
        return f"has more than {MOST_TAGS} tags"
    for key, value in tags.items():
        if not TAG_NAME.fullmatch(key):
            return f"{key} is not a valid tag name"
        if not isinstance(value, str) or not TAG_VALUE.fullmatch(value):
            return f"{key} has not a valid tag value"
    return None


def _value(item: Mapping[str, object]) -> float:
    given = item["value"] if "value" in item else item["sum"]
    number = float(given) if isinstance(given, int | float) else 0.0
    return 0.0 if abs(number) < SMALLEST else number
