"""Freshness: how long an event may have waited and still be worth sending to a destination."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
_LIMIT = re.compile(r"([1-9][0-9]{0,5})\s*(s|m|min|h|d)")
#: An event is surely kept so long; beyond it a limit would say nothing.
_LONGEST = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Freshness:
    """A destination's limit; what was rewound or backfilled, up to `exempt_seq`, has none."""

    limit: timedelta
    exempt_seq: int

    def is_over(self, seq: int, accepted_at: datetime, now: datetime) -> bool:
        """Whether the event came too late at `now`, which is the database's clock like `accepted_at`."""
        return seq > self.exempt_seq and now - accepted_at > self.limit


def read_limit(text: str) -> timedelta:
    """`15 m`, `2 h`, `1 d`. Raises ValueError, whose words continue the setting's name."""
    found = _LIMIT.fullmatch(text)
    if found is None:
        message = "is no length of time: write a whole number and s, m, h or d, like 15 m or 2 h"
        raise ValueError(message)
    limit = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    if limit > _LONGEST:
        message = "is longer than 30 days"
        raise ValueError(message)
    return limit


def freshness_of(settings: Mapping[str, Any], exempt_seq: int) -> Freshness | None:
    """The limit in a destination's settings; None: none is set."""
    text = settings.get("fresh_for")
    return Freshness(read_limit(text), exempt_seq) if text else None
