"""What list pages share: whose rows a viewer sees, and what stood in the address."""

from datetime import datetime
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from flask import request

from webapp.lib.times import read_utc
from webapp.ui._session import Viewer, runtime

K = TypeVar("K", bound=StrEnum)


def owner_of(who: Viewer) -> UUID | None:
    """Whose rows: a member's own; None, which is everybody's, for an admin."""
    return None if who.is_admin else who.user.id


def chosen(kind: type[K], name: str) -> K | None:
    """The filter `name` as a member of `kind`; None when it is absent or unknown."""
    try:
        return kind(request.args.get(name, ""))
    except ValueError:
        return None


def chosen_id(name: str) -> UUID | None:
    """The filter `name` as an id; None when it is absent or no id."""
    try:
        return UUID(request.args.get(name, ""))
    except ValueError:
        return None


def chosen_moment(name: str) -> datetime | None:
    """The filter `name` as a time, in UTC unless it says otherwise; None when it is absent or none."""
    try:
        return read_utc(request.args.get(name, ""))
    except ValueError:
        return None


def words(name: str, most: int = 200) -> str:
    """The text of the filter `name`, without what no database can hold."""
    return request.args.get(name, "").replace("\x00", "").strip()[:most]


def after() -> str | None:
    """The mark of the page asked for; None is the first."""
    return request.args.get("after") or None


def provider_titles() -> dict[str, str]:
    """What people call each provider, by name."""
    return {name: provider.title for name, provider in runtime().providers.items()}
