"""Pages by keyset: a page costs the same wherever it stands in the list."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, or_

from webapp.errors import Fault, Invalid

T = TypeVar("T")

#: A statement, and a row it gives, with columns that are named where they are read.
AnySelect: TypeAlias = Select[*tuple[Any, ...]]
AnyRow: TypeAlias = Row[*tuple[Any, ...]]

#: One part of a sort key.
Key: TypeAlias = int | str | datetime | UUID

#: Rows on a page, and the most that a caller may ask for.
PAGE_ROWS = 50
MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list; `next` is the mark of the page behind them, None at the end."""

    rows: tuple[T, ...]
    next: str | None


def bounded(limit: int) -> int:
    """A page's size, held to 1 … MOST_ROWS."""
    return max(1, min(limit, MOST_ROWS))


def cut(found: Sequence[T], limit: int, *key_of: Callable[[T], Key]) -> Page[T]:
    """The first `limit` of `limit + 1` rows; `key_of` reads a row's sort key, part by part."""
    rows = tuple(found[:limit])
    if len(found) <= limit:
        return Page(rows, None)
    return Page(rows, make_mark([read(rows[-1]) for read in key_of]))


def make_mark(parts: Sequence[Key]) -> str:
    """Where a page ends, as text for a URL."""
    plain = [_plain(part) for part in parts]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def read_mark(mark: str, kinds: Sequence[type[Key]]) -> list[Key]:
    """The parts of a mark, each of its kind. Raises Invalid when it is not one of ours."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)))
        return [_typed(part, kind) for part, kind in zip(parts, kinds, strict=True)]
    except (ValueError, TypeError, RecursionError):
        raise Invalid([Fault("after", "is not a mark of this list; start at its first page")]) from None


def behind(
    keys: Sequence[ColumnElement[Any]], values: Sequence[Key], *, descending: bool
) -> ColumnElement[bool]:
    """Rows that come after `values` in the order of `keys`; two keys at most, none of them null."""
    first, last = keys[0], keys[-1]
    past: ColumnElement[bool] = first < values[0] if descending else first > values[0]
    if len(keys) == 1:
        return past
    tie = last < values[-1] if descending else last > values[-1]
    return or_(past, and_(first == values[0], tie))


def _plain(part: Key) -> int | str:
    if isinstance(part, datetime):
        return part.isoformat()
    return part if isinstance(part, int) else str(part)


def _typed(part: object, kind: type[Key]) -> Key:
    if kind is int:
        if not isinstance(part, int) or abs(part) >= 2**63:
            raise ValueError
        return part
    if not isinstance(part, str) or "\x00" in part:
        raise ValueError
    if kind is datetime:
        moment = datetime.fromisoformat(part)
        if moment.tzinfo is None:
            raise ValueError
        return moment
    return UUID(part) if kind is UUID else part
