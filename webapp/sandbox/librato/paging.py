"""Lists, a page at a time (api-docs, Pagination)."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from flask import request

from webapp.sandbox.librato.refusals import wrong_params

MOST = 100
"""Items on a page, and how many when nothing is asked; more is cut to it."""

T = TypeVar("T")


def page(
    name: str,
    owned: int,
    matching: Sequence[T],
    show: Callable[[T], object],
    orders: Mapping[str, Callable[[T], str]],
) -> dict[str, object]:
    """Return the envelope of a list: `query`, with the count on this page as `length`, and the items."""
    offset, length = _number("offset", 0), min(_number("length", MOST), MOST)
    order, sort = request.args.get("orderby"), request.args.get("sort", "asc")
    # Chosen: the docs are silent on orders that do not exist.
    if order is not None and order not in orders:
        raise wrong_params(orderby=f"must be one of {', '.join(orders)}")
    if sort not in ("asc", "desc"):
        raise wrong_params(sort="must be asc or desc")
    ordered = sorted(matching, key=orders[order]) if order else list(matching)
    if sort == "desc":
        ordered.reverse()
    items = [show(one) for one in ordered[offset : offset + length]]
    query = {"found": len(matching), "length": len(items), "offset": offset, "total": owned}
    return {"query": query, name: items}


def _number(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isdecimal():
        raise wrong_params(**{name: "is not a number"})
    return int(text)
