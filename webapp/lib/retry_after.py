"""How long an answer asks us to wait: the Retry-After field (RFC 9110 §10.2.3), in seconds or as a date."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from webapp.lib import clock

#: An absurd wish is cut to this many seconds.
CAP_SECONDS = 3600.0


def read(value: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds to wait, 0 to 3,600; None when there is no such field or it says nothing."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), CAP_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # HTTP dates are always GMT; Python reads a "-0000" zone as naive.
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return min(max((aware - (now or clock.now())).total_seconds(), 0.0), CAP_SECONDS)
