"""A notice is told once, by whoever is first."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from sqlalchemy import select

from webapp.core import notices
from webapp.core.runtime import Runtime
from webapp.lib.ids import uuid7
from webapp.models import AuditLine, Notice


def tell(runtime: Runtime, key: str, connection_id: UUID | None = None) -> bool:
    with runtime.database.write() as session:
        return notices.tell(
            session, dedupe_key=key, kind="test", text="Something happened.", connection_id=connection_id
        )


def test_it_is_told_once(runtime: Runtime) -> None:
    assert tell(runtime, "one")
    assert not tell(runtime, "one")
    assert tell(runtime, "two")


def test_eight_that_find_it_at_once_tell_it_once(runtime: Runtime) -> None:
    with ThreadPoolExecutor(8) as workers:
        assert sorted(workers.map(lambda _: tell(runtime, "one"), range(8))) == [False] * 7 + [True]


def test_one_about_a_connection_is_on_its_timeline(runtime: Runtime) -> None:
    connection_id = uuid7()
    tell(runtime, "one", connection_id)
    tell(runtime, "one", connection_id)
    with runtime.database.read() as session:
        (line,) = session.scalars(select(AuditLine).where(AuditLine.connection_id == connection_id))
        (notice,) = session.scalars(select(Notice))
    assert (line.act, notice.read_at) == ("connection.told", None)
