"""Shaping: between reading a page and encoding it, what a destination wants of it, and in which form.

By type first, which needs no body; then by age; then by conditions; then the mapping. A body is parsed only
where a condition or a mapping asks for it, and once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from webapp.core.streams import mapping
from webapp.core.streams.conditions import COLUMNS, Condition, read_conditions
from webapp.core.streams.filters import wanted as wanted_types
from webapp.core.streams.freshness import Freshness, freshness_of
from webapp.core.streams.mapping import Change, read_mapping
from webapp.core.streams.pages import Page
from webapp.core.streams.paths import parse_envelope
from webapp.providers.receiving import OutgoingEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a destination's settings make of events."""

    #: by type; None: all are wanted
    wants: Callable[[str], bool] | None
    freshness: Freshness | None
    conditions: tuple[Condition, ...]
    changes: tuple[Change, ...]
    #: what an event may have once it is changed
    most_bytes: int

    @property
    def is_plain(self) -> bool:
        """Whether every event goes out as it is stored."""
        return not self.conditions and not self.changes

    def of(self, event: OutgoingEvent) -> "Shaped":
        """What becomes of one event, but for its age."""
        envelope = self._envelope(event)
        unmet = next((one for one in self.conditions if not one.holds(envelope)), None)
        return Shaped(event, unmet=unmet) if unmet else self._changed(event, envelope)

    def replayed(self, event: OutgoingEvent) -> "Shaped":
        """What becomes of a dead letter that somebody sends again: wanted it is by that."""
        return self._changed(event, self._envelope(event))

    def _changed(self, event: OutgoingEvent, envelope: dict[str, Any]) -> "Shaped":
        if not self.changes:
            return Shaped(event)
        if "id" not in envelope:
            return Shaped(event, fault="its body is no JSON, so the mapping cannot be applied")
        body = mapping.apply(self.changes, envelope)
        if len(body) >= self.most_bytes:
            fault = f"the mapping makes it {len(body):,} bytes, an event must be below {self.most_bytes:,}"
            return Shaped(event, fault=fault)
        return Shaped(replace(event, subject=envelope.get("subject"), body=body))

    def _envelope(self, event: OutgoingEvent) -> dict[str, Any]:
        """As far as it is needed: without a look into the body it is what is kept beside it."""
        if self.changes or any(condition.needs_body for condition in self.conditions):
            envelope = parse_envelope(event.body)
            if envelope:
                return envelope
        return {name: getattr(event, name) for name in COLUMNS}


@dataclass(frozen=True, slots=True)
class Shaped:
    """One event as it is to be sent; or why it is not."""

    event: OutgoingEvent
    #: the condition that it does not meet: filtered
    unmet: Condition | None = None
    #: what the mapping made of it cannot be sent: a dead letter
    fault: str | None = None


def shape_page(page: Page, shape: Shape) -> Page:
    """The page with its events as they are to be sent; those that no condition lets through are gone."""
    if shape.is_plain:
        return page
    wanted: list[OutgoingEvent] = []
    stored: list[OutgoingEvent] = []
    faults: dict[int, str] = {}
    for event in page.wanted:
        shaped = shape.of(event)
        if shaped.unmet is not None:
            continue
        if shaped.fault is not None:
            faults[len(wanted)] = shaped.fault
        wanted.append(shaped.event)
        stored.append(event)
    return replace(page, wanted=wanted, stored=stored, faults=faults)


def shape_of(settings: Mapping[str, Any], exempt_seq: int, *, most_bytes: int) -> Shape:
    """What a destination's checked settings make of events; `exempt_seq` is where its freshness begins."""
    return Shape(
        wants=wanted_types(settings),
        freshness=freshness_of(settings, exempt_seq),
        conditions=read_conditions(settings.get("where") or ""),
        changes=read_mapping(settings.get("mapping") or ""),
        most_bytes=most_bytes,
    )
