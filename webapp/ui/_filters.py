"""How templates show times and numbers."""

from datetime import datetime
from typing import Protocol

from flask import Flask
from markupsafe import Markup

from webapp.lib import clock
from webapp.lib.times import rfc3339

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_MONTH = 30 * 86_400


def ago(moment: datetime | None, never: str = "never") -> Markup:
    """`<time>` with how long ago, or how soon, and the exact moment in its title."""
    if moment is None:
        return Markup('<span class="text-body-secondary">{}</span>').format(never)
    exact = rfc3339(moment)
    shown = relative((clock.now() - moment).total_seconds()) or moment.strftime("%-d %b %Y")
    title = moment.strftime("%-d %B %Y, %H:%M:%S UTC")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(exact, title, shown)


def relative(seconds: float) -> str | None:
    """`5 min ago` or `in 3 h`; None beyond a month, where a date says more."""
    size = abs(seconds)
    if size < 1:
        return "just now"
    if size > _MONTH:
        return None
    length = duration(size)
    return f"{length} ago" if seconds > 0 else f"in {length}"


def duration(seconds: float) -> str:
    """`40 s`, `5 min`, `3 h`, `12 d`: the largest unit that fits."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)}\N{NO-BREAK SPACE}{unit}"
    return f"{seconds * 1000:.0f}\N{NO-BREAK SPACE}ms"


def number(value: float) -> str:
    """`12 345`: digits in groups that no reader takes for a decimal point."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def one_or_many(units: str, count: float) -> str:
    """The unit of that many: `events`, but of one `event`."""
    return units.removesuffix("s") if count == 1 else units


class _Placed(Protocol):
    """Something that belongs to one environment of an account."""

    @property
    def account_key(self) -> str:
        """The account."""
        ...

    @property
    def environment(self) -> str:
        """Its environment."""
        ...


def place(row: _Placed) -> str:
    """`acme / prod`; a vendor without environments has one, of the account's own name: that is said once."""
    if row.account_key == row.environment:
        return row.account_key
    return f"{row.account_key} / {row.environment}"


def act(name: str) -> str:
    """An audit line's act in words: `Refreshed`, `Destination made`."""
    thing, _, done = name.partition(".")
    words = done if thing == "connection" else f"{thing} {done}"
    return words.replace("_", " ").capitalize()


def add_filters(app: Flask) -> None:
    """Give the filters to `app`'s templates."""
    app.jinja_env.filters.update(
        act=act,
        ago=ago,
        duration=duration,
        number=number,
        one_or_many=one_or_many,
        place=place,
        rfc3339=rfc3339,
    )
