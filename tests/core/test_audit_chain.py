"""The audit's chain: whoever changes the database without the vault's keys is found, and where."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, insert, select, update

from webapp.core import audit_chain
from webapp.core.audit import HITCHPOST, Act, record
from webapp.core.audit_chain import Anchor
from webapp.core.runtime import Runtime
from webapp.errors import Conflict
from webapp.lib.vault import new_key, parse_keys
from webapp.models import AuditHead, AuditLine

Tamper = Callable[[Runtime], None]


def write(runtime: Runtime, count: int, *, thing: str = "user:ada") -> None:
    for number in range(count):
        with runtime.database.write() as session:
            record(session, HITCHPOST, Act.USER_CHANGED, thing, detail=f"number {number}")


@pytest.fixture
def chained(runtime: Runtime) -> Runtime:
    """Ten lines, sealed."""
    write(runtime, 10)
    audit_chain.seal(runtime)
    return runtime


def execute(runtime: Runtime, *statements: object) -> None:
    with runtime.database.write() as session:
        for statement in statements:
            session.execute(statement)  # type: ignore[call-overload]  # of whatever kind


def test_untouched_lines_verify_and_the_head_is_the_last_of_them(chained: Runtime) -> None:
    verdict = audit_chain.verify(chained)
    assert (verdict.good, verdict.fault, verdict.unsealed, verdict.erased) == (10, None, 0, 0)
    with chained.database.read() as session:
        last = session.scalars(select(AuditLine).where(AuditLine.chain_no == 10)).one()
    assert verdict.head == Anchor(10, last.mac or b"")


def test_a_line_is_written_unsealed_and_sealed_later_behind_the_others(chained: Runtime) -> None:
    write(chained, 1)
    assert audit_chain.verify(chained).unsealed == 1
    head = audit_chain.seal(chained)
    assert head is not None
    assert head.chain_no == 11
    assert audit_chain.seal(chained) is None


def test_more_lines_than_one_batch_are_sealed_in_one_go(runtime: Runtime) -> None:
    line = {"actor": "hitchpost", "act": "x", "object": "y", "detail": None}
    with runtime.database.write() as session:
        session.execute(insert(AuditLine), [line] * 1_200)
    audit_chain.seal(runtime)
    assert audit_chain.verify(runtime).good == 1_200


def swap(runtime: Runtime) -> None:
    """Two lines trade what they say, and keep their places."""
    with runtime.database.write() as session:
        one, two = session.scalars(select(AuditLine).where(AuditLine.chain_no.in_((4, 5)))).all()
        one.detail, two.detail = two.detail, one.detail
        one.detail_mac, two.detail_mac = two.detail_mac, one.detail_mac


def trade_places(runtime: Runtime) -> None:
    """Two lines trade places, macs and all."""
    with runtime.database.write() as session:
        one, two = session.scalars(select(AuditLine).where(AuditLine.chain_no.in_((4, 5)))).all()
        kept = (one.chain_no, one.mac), (two.chain_no, two.mac)
        one.chain_no = None
        session.flush()
        (two.chain_no, two.mac) = kept[0]
        session.flush()
        (one.chain_no, one.mac) = kept[1]


def slip_in(runtime: Runtime) -> None:
    """A made-up line takes the place of the fifth, and those behind it make room."""
    execute(
        runtime,
        update(AuditLine).where(AuditLine.chain_no >= 5).values(chain_no=AuditLine.chain_no + 100),
        update(AuditLine).where(AuditLine.chain_no >= 5).values(chain_no=AuditLine.chain_no - 99),
        insert(AuditLine).values(actor="x", act="x", object="x", chain_no=5, mac=bytes(32)),
    )


def edit(**values: object) -> Tamper:
    """Change columns of the fourth line."""
    return lambda runtime: execute(runtime, update(AuditLine).where(AuditLine.chain_no == 4).values(**values))


def cut(runtime: Runtime) -> None:
    """Take out the last three lines."""
    execute(runtime, delete(AuditLine).where(AuditLine.chain_no > 7))


def pretend(runtime: Runtime) -> None:
    """Add a line behind the head that nobody sealed."""
    execute(runtime, insert(AuditLine).values(actor="x", act="x", object="x", chain_no=11, mac=bytes(32)))


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        pytest.param(edit(actor="user:eve"), "line 4 ", id="who"),
        pytest.param(edit(act="user.invited"), "line 4 ", id="what"),
        pytest.param(edit(object="user:eve"), "line 4 ", id="to which thing"),
        pytest.param(edit(at=datetime(2001, 1, 1, tzinfo=UTC)), "line 4 ", id="when"),
        pytest.param(edit(connection_id=uuid4()), "line 4 ", id="of which connection"),
        pytest.param(edit(detail="innocent"), "the words of line 4 ", id="the words"),
        pytest.param(edit(detail=None, detail_mac=None), "line 4 ", id="the words and their mac"),
        pytest.param(edit(detail=None), "the words of line 4 were taken out", id="the words taken out"),
        pytest.param(edit(mac=bytes(32)), "line 4 ", id="the mac"),
        pytest.param(edit(chain_no=None), "line 4 is missing", id="out of the chain"),
        pytest.param(
            lambda it: execute(it, delete(AuditLine).where(AuditLine.chain_no == 4)),
            "line 4 is missing",
            id="deleted",
        ),
        pytest.param(swap, "line 4 ", id="words swapped"),
        pytest.param(trade_places, "line 4 ", id="reordered"),
        pytest.param(slip_in, "line 5 ", id="slipped in"),
        pytest.param(cut, "line 8 is missing, and all behind it", id="the tail cut"),
        pytest.param(pretend, "line 11 stands behind the head 10", id="added behind the head"),
        pytest.param(
            lambda it: execute(it, delete(AuditHead)), "the head of the chain is gone", id="no head"
        ),
        pytest.param(
            lambda it: execute(it, update(AuditHead).values(chain_no=9)),
            "the head's own mac",
            id="head moved back",
        ),
        pytest.param(
            lambda it: execute(it, update(AuditHead).values(sealed=bytes(60))),
            "the key of the chain cannot be opened",
            id="key gone",
        ),
    ],
)
def test_the_first_line_that_is_not_as_it_was_is_named(chained: Runtime, tamper: Tamper, fault: str) -> None:
    tamper(chained)
    found = audit_chain.verify(chained).fault
    assert found is not None
    assert found.startswith(fault)


def test_a_whole_older_database_is_found_by_an_anchor_alone(chained: Runtime) -> None:
    with chained.database.read() as session:
        older = session.execute(select(AuditHead.chain_no, AuditHead.mac)).one()
    write(chained, 3)
    anchor = audit_chain.seal(chained)
    assert anchor is not None
    assert audit_chain.verify(chained, anchor).fault is None
    execute(
        chained,
        delete(AuditLine).where(AuditLine.chain_no > older.chain_no),
        update(AuditHead).values(chain_no=older.chain_no, mac=older.mac),
    )
    assert audit_chain.verify(chained).fault is None
    found = audit_chain.verify(chained, Anchor.parse(str(anchor))).fault
    assert found == "the chain ends at line 10, before the anchor: lines behind it are gone"


def test_a_chain_made_anew_is_found_by_an_anchor(chained: Runtime) -> None:
    with chained.database.read() as session:
        anchor = audit_chain.read_head(session)
    execute(
        chained,
        delete(AuditHead),
        update(AuditLine).values(chain_no=None, mac=None, detail_mac=None, actor="user:eve"),
    )
    audit_chain.seal(chained)
    assert audit_chain.verify(chained).fault is None
    found = audit_chain.verify(chained, anchor).fault
    assert found == "line 10 is not the one that the anchor names: this is another chain"


def test_an_anchor_without_a_chain_is_a_fault(runtime: Runtime) -> None:
    assert audit_chain.verify(runtime).fault is None
    assert audit_chain.verify(runtime, Anchor(1, bytes(32))).fault is not None


def test_no_new_chain_is_begun_over_the_remains_of_one(chained: Runtime) -> None:
    execute(chained, delete(AuditHead))
    write(chained, 1)
    with pytest.raises(Conflict):
        audit_chain.seal(chained)


def test_many_writers_and_many_sealers_make_one_chain_without_a_fork(runtime: Runtime) -> None:
    over = threading.Event()

    def seal() -> None:
        while not over.is_set():
            audit_chain.seal(runtime)

    with ThreadPoolExecutor(6) as people:
        sealers = [people.submit(seal) for _ in range(3)]
        writers = [people.submit(write, runtime, 40, thing=f"user:{number}") for number in range(3)]
        for writer in writers:
            writer.result()
        over.set()
        for sealer in sealers:
            sealer.result()
    audit_chain.seal(runtime)
    verdict = audit_chain.verify(runtime)
    assert (verdict.good, verdict.fault, verdict.unsealed) == (120, None, 0)


def test_a_look_while_lines_are_sealed_finds_no_fault(runtime: Runtime) -> None:
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            write(runtime, 1)
            audit_chain.seal(runtime)

    thread = threading.Thread(target=go_on)
    thread.start()
    faults = [audit_chain.verify(runtime).fault for _ in range(30)]
    over.set()
    thread.join()
    assert set(faults) == {None}


def test_words_are_erased_on_record_and_the_chain_still_holds(chained: Runtime) -> None:
    write(chained, 2, thing="user:bob")
    audit_chain.seal(chained)
    with chained.database.write() as session:
        assert audit_chain.erase(session, HITCHPOST, "user:bob") == 2
    before, _ = audit_chain.verify(chained), audit_chain.seal(chained)
    after = audit_chain.verify(chained)
    assert (before.fault, after.fault) == (None, None)
    assert (after.erased, after.good) == (2, 13)
    with chained.database.read() as session:
        about_bob = select(AuditLine.detail).where(AuditLine.object == "user:bob").order_by(AuditLine.id)
        words = session.scalars(about_bob).all()
    assert words == [None, None, "the words of 2 lines"]


def test_an_erasure_of_one_person_is_no_cover_for_another(chained: Runtime) -> None:
    with chained.database.write() as session:
        audit_chain.erase(session, HITCHPOST, "user:bob")
    edit(detail=None)(chained)
    found = audit_chain.verify(chained).fault
    assert found == "the words of line 4 were taken out, and no line says by whom"


def test_of_two_faults_the_first_is_named_though_it_is_only_words_taken_out(chained: Runtime) -> None:
    edit(detail=None)(chained)
    execute(chained, update(AuditLine).where(AuditLine.chain_no == 8).values(actor="user:eve"))
    found = audit_chain.verify(chained).fault
    assert found == "the words of line 4 were taken out, and no line says by whom"


@pytest.mark.parametrize("tables_url", ["postgresql"], indirect=True)  # SQLite reads one moment
def test_an_erasure_that_is_sealed_during_a_look_is_on_record(
    chained: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = audit_chain._Check.walk

    def meanwhile(check: Any, session: Any, head: Anchor) -> str | None:
        with chained.database.write() as other:
            audit_chain.erase(other, HITCHPOST, "user:ada")
        audit_chain.seal(chained)
        return walk(check, session, head)

    monkeypatch.setattr(audit_chain._Check, "walk", meanwhile)
    assert audit_chain.verify(chained).fault is None


def test_another_ring_cannot_vouch_for_the_chain(chained: Runtime) -> None:
    stranger = replace(chained, vault=parse_keys(new_key()))
    found = audit_chain.verify(stranger).fault
    assert found is not None
    assert found.startswith("the key of the chain cannot be opened")


@pytest.mark.parametrize("anchor", ["", "x", "1", "1:zz", "x:00"])
def test_what_is_no_anchor_is_refused(anchor: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the face says it in words
        Anchor.parse(anchor)
