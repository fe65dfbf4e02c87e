"""Change events as Last9 keeps them: samples of the metric `last9_change_events`, and queries over them."""

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass

METRIC = "last9_change_events"
# Labels that Last9 shows under one name whichever of the two was sent.
CANONICAL = {
    "service": ("service", "service_name"),
    "deployment_environment": ("deployment_environment", "env"),
}
LOOKBACK = 300
"""Seconds an instant query looks back, as Prometheus does."""

_SELECTOR = re.compile(r"\s*([a-zA-Z_:][\w:]*)?\s*(?:\{(.*)\})?\s*", re.DOTALL)
_MATCHER = re.compile(r'\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')


class UnreadableQueryError(ValueError):
    """A query that is more than the one selector understood here."""


@dataclass(frozen=True)
class Sample:
    """One change event in its cluster; `time` is Unix seconds."""

    cluster: str
    time: float
    value: float
    labels: dict[str, str]


@dataclass(frozen=True)
class _Matcher:
    label: str
    sign: str
    value: str

    def fits(self, labels: dict[str, str]) -> bool:
        found = labels.get(self.label, "")
        same = re.fullmatch(self.value, found) is not None if "~" in self.sign else found == self.value
        return same != self.sign.startswith("!")


class Samples:
    """Every sample taken, safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: list[Sample] = []

    def add(self, sample: Sample) -> None:
        with self._lock:
            self._samples.append(sample)

    def forget(self) -> None:
        with self._lock:
            self._samples.clear()

    def all(self, cluster: str) -> list[Sample]:
        """Return a cluster's samples by time, oldest first."""
        with self._lock:
            here = [one for one in self._samples if one.cluster == cluster]
        return sorted(here, key=lambda one: one.time)

    def within(self, cluster: str, query: str, start: float, end: float) -> list[Sample]:
        matchers = _matchers(query)
        return [
            one
            for one in self.all(cluster)
            if start <= one.time <= end and all(matcher.fits(one.labels) for matcher in matchers)
        ]


def labels_of(name: str, state: str, attributes: dict[str, object]) -> dict[str, str]:
    """Return the labels of a change event: its attributes, its own fields, and the canonical names."""
    labels = {key: _text(value) for key, value in attributes.items()}
    for canonical, names in CANONICAL.items():
        found = next((labels[one] for one in names if labels.get(one)), None)
        if found:
            labels[canonical] = found
    return labels | {"__name__": METRIC, "event_name": name, "event_state": state}


def series(samples: Iterable[Sample]) -> list[dict[str, object]]:
    """Return range-query results: each label set once, with its [time, "value"] pairs."""
    return [
        {"metric": labels, "values": [[one.time, f"{one.value:g}"] for one in group]}
        for labels, group in _grouped(samples)
    ]


def instant(samples: Iterable[Sample], at: float) -> list[dict[str, object]]:
    """Return instant-query results: each label set once, with its latest value."""
    return [{"metric": labels, "value": [at, f"{group[-1].value:g}"]} for labels, group in _grouped(samples)]


def _grouped(samples: Iterable[Sample]) -> list[tuple[dict[str, str], list[Sample]]]:
    groups: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
    for one in samples:
        groups.setdefault(tuple(sorted(one.labels.items())), []).append(one)
    return [(dict(key), group) for key, group in groups.items()]


def _matchers(query: str) -> list[_Matcher]:
    parts = _SELECTOR.fullmatch(query)
    if parts is None or not any(parts.groups()):
        raise UnreadableQueryError('only a selector such as last9_change_events{service="x"} is understood')
    name, inside = parts.groups()
    matchers = [_Matcher("__name__", "=", name)] if name else []
    at = 0
    while inside and at < len(inside.rstrip()):
        found = _MATCHER.match(inside, at)
        if found is None:
            raise UnreadableQueryError(f"not a label matcher: {inside[at:][:40]}")
        matchers.append(_Matcher(found[1], found[2], _unescaped(found[3], found[2])))
        at = found.end()
    return matchers


def _unescaped(value: str, sign: str) -> str:
    plain = re.sub(r'\\(["\\])', r"\1", value)
    if "~" in sign:
        try:
            re.compile(plain)
        except re.error as error:
            raise UnreadableQueryError(f"not a regular expression: {plain[:40]}") from error
    return plain


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
