"""A fresh access token costs a look, one line and no lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import event, func, select

from tests.core.grants import make_grants
from tests.fake_vendor import FakeVendor
from webapp.core import connections
from webapp.core.audit import HITCHPOST
from webapp.core.handouts import hand_out
from webapp.core.runtime import Runtime
from webapp.errors import Conflict
from webapp.models import AuditLine, Credential


@contextmanager
def statements(runtime: Runtime) -> Iterator[list[str]]:
    """Every statement that reaches the database, without those that begin and end transactions."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(runtime.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(runtime.database.engine, "before_cursor_execute", note)


def test_a_fresh_one_takes_one_read_and_its_one_line(runtime: Runtime, vendor: FakeVendor) -> None:
    (grant,) = make_grants(runtime, 1)
    with statements(runtime) as seen:
        given = hand_out(runtime, HITCHPOST, grant.connection_id)
    assert given.access_token.reveal() == "access-canary-0"
    assert [statement.split()[0] for statement in seen] == ["SELECT", "INSERT"]
    assert not [statement for statement in seen if "FOR UPDATE" in statement]
    assert seen[1].startswith("INSERT INTO audit_lines")
    assert not vendor.counts["refresh"]


def test_one_that_would_not_last_is_renewed_first(runtime: Runtime, vendor: FakeVendor) -> None:
    (grant,) = make_grants(runtime, 1)
    with runtime.database.write() as session:
        row = session.get_one(Credential, grant.id)
        assert row.expires_at is not None
        row.issued_at -= (row.expires_at - row.issued_at) * 0.99
        row.expires_at = row.issued_at + (row.expires_at - row.issued_at) / 1.9899
    given = hand_out(runtime, HITCHPOST, grant.connection_id, min_ttl=3600.0)
    assert given.access_token.reveal() == "access-canary-r1"
    assert vendor.counts["refresh"] == 1


@pytest.mark.parametrize("tables_url", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_it_is_handed_out_while_somebody_holds_the_row(runtime: Runtime) -> None:
    (grant,) = make_grants(runtime, 1)
    with runtime.database.write() as session:
        session.get_one(Credential, grant.id, with_for_update=True)
        given = hand_out(runtime, HITCHPOST, grant.connection_id)
    assert given.access_token.reveal() == "access-canary-0"


def test_every_one_of_many_at_once_has_its_line(runtime: Runtime) -> None:
    (grant,) = make_grants(runtime, 1)
    start = Barrier(8)

    def take() -> None:
        start.wait()
        for _ in range(5):
            hand_out(runtime, HITCHPOST, grant.connection_id)

    threads = [Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with runtime.database.read() as session:
        lines = select(func.count()).where(AuditLine.act == "credential.handed_out")
        assert session.execute(lines).scalar_one() == 40


def test_nothing_is_handed_out_after_a_disconnect(runtime: Runtime) -> None:
    (grant,) = make_grants(runtime, 1)
    connections.disconnect(runtime, HITCHPOST, grant.connection_id)
    with pytest.raises(Conflict):
        hand_out(runtime, HITCHPOST, grant.connection_id)
