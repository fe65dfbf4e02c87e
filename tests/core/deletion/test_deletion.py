"""A deleted user leaves nothing in any table, whoever dies meanwhile; others notice nothing."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from tests.core.deletion.household import Rows, delete_wholly, let_time_pass, read_rows, settle
from tests.forwarding import ACTOR, Yard, postgres_yard_url, sqlite_yard_url, yard
from webapp.core import audit_chain, deletion, restores, users
from webapp.core.audit import Actor
from webapp.core.events.owners import forget_streams
from webapp.errors import Conflict, Invalid, NotFound
from webapp.lib.database import Database
from webapp.models import AuditLine, Revocation, User

__all__ = ["postgres_yard_url", "sqlite_yard_url", "yard"]


def beyond(before: Rows, after: Rows) -> dict[str, int]:
    """By table, how many rows are new."""
    return {name: len(after[name] - before[name]) for name in after}


def test_nothing_is_left_in_any_table_and_others_are_as_they_were(yard: Yard) -> None:
    settle(yard, "bob")
    yard.drain()
    before = read_rows(yard)
    ada = settle(yard, "ada")
    hers = beyond(before, read_rows(yard))
    assert [name for name, count in hers.items() if not count] == [], "she has something in every table"
    delete_wholly(yard, ada)
    assert read_rows(yard) == before
    with pytest.raises(NotFound), yard.runtime.database.read() as session:
        deletion.read_loss(session, ada)
    yard.assert_ledgers_are_exact()


def test_the_audit_keeps_who_did_what_and_none_of_the_words(yard: Yard) -> None:
    ada = settle(yard)
    audit_chain.seal(yard.runtime)
    delete_wholly(yard, ada)
    with yard.runtime.database.read() as session:
        lines = session.execute(select(AuditLine.actor, AuditLine.act, AuditLine.detail)).all()
        on_her = session.scalars(select(AuditLine.act).where(AuditLine.object == f"user:{ada}")).all()
    assert [line for line in lines if "canary" in str(line) or "ada" in str(line.detail)] == []
    assert [act for act in on_her if "delet" in act] == ["user.deletion_begun", "user.deleted"]
    assert ("user:test", "user.deletion_begun") in [(line.actor, line.act) for line in lines]
    audit_chain.seal(yard.runtime)
    assert audit_chain.verify(yard.runtime).fault is None


class Dying:
    """The database of a process that is killed at its n-th write: before it commits, or right after."""

    def __init__(self, database: Database, at: int, *, after_commit: bool) -> None:
        self.left, self._database, self._after_commit = at, database, after_commit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def write(self) -> Iterator[Session]:
        self.left -= 1
        with self._database.write() as session:
            yield session
            if self.left == 0 and not self._after_commit:
                raise KeyboardInterrupt
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after_commit", [False, True])
def test_a_deletion_that_is_killed_at_any_write_goes_on_at_the_next_sweep(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, *, after_commit: bool
) -> None:
    monkeypatch.setattr("webapp.core.deletion.sweeping._MOST_ROWS", 3)
    before = read_rows(yard)
    ada = settle(yard)
    with yard.runtime.database.write() as session:
        deletion.begin(session, ACTOR, ada)
    kills, at = 0, itertools.cycle((1, 2, 3, 4))
    while kills < 60 and read_rows(yard)["users"]:
        dying = Dying(yard.runtime.database, next(at), after_commit=after_commit)
        try:
            deletion.sweep(replace(yard.runtime, database=cast("Database", dying)))
        except KeyboardInterrupt:
            kills += 1
        yard.assert_ledgers_are_exact()
        let_time_pass(yard.runtime)
    assert kills >= 8
    assert read_rows(yard) == before


def test_a_vendor_that_has_not_confirmed_is_waited_for_with_nothing_else_left(yard: Yard) -> None:
    ada = settle(yard)
    with yard.runtime.database.write() as session:
        deletion.begin(session, ACTOR, ada)
    deletion.sweep(yard.runtime)
    rows = read_rows(yard)
    assert {name: len(rows[name]) for name in ("events", "attempts", "dead_letters", "revocations")} == {
        "events": 0,
        "attempts": 0,
        "dead_letters": 0,
        "revocations": 1,
    }
    yard.change(delete(Revocation))
    deletion.sweep(yard.runtime)
    assert read_rows(yard)["users"], "an answer that is under way may still come"
    let_time_pass(yard.runtime)
    deletion.sweep(yard.runtime)
    assert not read_rows(yard)["users"]


def test_from_the_mark_on_nobody_comes_in_and_no_event_is_taken(yard: Yard) -> None:
    ada = settle(yard)
    with yard.runtime.database.write() as session:
        loss = deletion.begin(session, ACTOR, ada)
        again = deletion.begin(session, ACTOR, ada)
    assert (loss.label, loss.open_connections, loss.destinations) == ("ada@example.org", 1, 1)
    assert (loss.events, loss.waiting, loss.dead_letters, loss.sources, loss.api_keys) == (7, 1, 1, 1, 1)
    assert again.begun_at == loss.begun_at is not None
    forget_streams(yard.runtime.database)
    with pytest.raises(Invalid, match=r"no user of this instance"):
        yard.accept("late")
    with pytest.raises(Conflict), yard.runtime.database.write() as session:
        users.enable(session, ACTOR, ada)


def test_a_held_instance_deletes_nobody(yard: Yard) -> None:
    ada = settle(yard)
    restores.mark(yard.runtime)
    delete_wholly(yard, ada)
    assert read_rows(yard)["events"]
    restores.release(yard.runtime)
    for _ in range(2):
        deletion.sweep(yard.runtime)
        let_time_pass(yard.runtime)
    assert not read_rows(yard)["users"]


def test_nobody_deletes_by_a_slip(yard: Yard) -> None:
    ada = settle(yard)
    actor = Actor.user(ada)
    with pytest.raises(Conflict, match="themselves"), yard.runtime.database.write() as session:
        deletion.begin(session, actor, ada)
    with pytest.raises(Invalid, match=r"ada@example\.org"), yard.runtime.database.write() as session:
        deletion.begin(session, ACTOR, ada, typed="bob@example.org")
    with yard.runtime.database.read() as session:
        assert session.scalar(select(func.count()).where(User.deleting_at.is_not(None))) == 0
