"""Times as columns and as text: aware and UTC on both databases, RFC 3339 outside."""

from datetime import UTC, datetime

from sqlalchemy import DateTime
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator

#: The text SQLAlchemy stores for a datetime on SQLite: it sorts as the time does.
SQLITE_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class UTCDateTime(TypeDecorator[datetime]):
    """`timestamptz` on PostgreSQL, sortable UTC text on SQLite; only aware datetimes go in and come out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: which zone they mean cannot be known."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = "a naive datetime has no place in the database"
            raise ValueError(message)
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back aware times: SQLite forgets the zone, which was UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def sqlite_text(moment: datetime) -> str:
    """What `UTCDateTime` writes on SQLite, for statements that bind text themselves."""
    return moment.astimezone(UTC).isoformat(" ", "microseconds")[:26]


def utc_of(text: str) -> datetime:
    """The moment of a text of `sqlite_text`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def rfc3339(moment: datetime) -> str:
    """`2026-01-31T12:00:00.123Z`, the form of RFC 3339 with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_utc(text: str) -> datetime:
    """A time as ISO 8601 writes it, in UTC; one that names no zone is in UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else in_utc(moment)


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError where that has no year from 1 to 9999."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from None
