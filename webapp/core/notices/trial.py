"""A trial: one test by each way out, so that an operator sees that notices arrive before they matter."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core.audit import HITCHPOST, Act, Actor, record
from webapp.core.notices import errands, leases, sending
from webapp.core.notices.incidents import now_of
from webapp.core.notices.kinds import News
from webapp.core.runtime import Runtime
from webapp.errors import NotFound
from webapp.lib.database import db_time
from webapp.lib.ids import uuid7
from webapp.models import Errand, Notice, User, Way

_TEXT = "This is a test: what Hitchpost has to tell you arrives here. There is nothing to do."


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one test: by mail to the address `to`, or by webhook (None)."""

    to: str | None
    sent: bool
    words: str


def ask_test(session: Session, actor: Actor, ways: frozenset[Way], receivers: Sequence[UUID]) -> None:
    """Write a test for these people and the host app; workers send it like everything else."""
    session.add_all(_make(session, actor, ways, receivers, due_at=db_time()))


def send_test(runtime: Runtime, address: str | None = None) -> list[Tried]:
    """Send a test now by each way that this instance has, once; what became of each.

    Mail goes to the user with that `address`, or to every admin. Raises NotFound when nobody here has it.
    """
    with runtime.database.write() as session:
        receivers = [_user_at(session, address)] if address else errands.admins(session)
        held = {"lease": uuid4(), "tries": 1, "first_tried_at": db_time()}
        ways = sending.ways_set_up(runtime)
        made = _make(session, HITCHPOST, ways, receivers, due_at=db_time(leases.LEASE_SECONDS), **held)
        session.add_all(made)
    return [_carry(runtime, errand) for errand in made]


def _user_at(session: Session, address: str) -> UUID:
    found = session.scalar(select(User.id).where(User.email == address.strip().lower()))
    if found is None:
        raise NotFound(f"Nobody here has the e-mail address {address}.")
    return found


def _make(
    session: Session, actor: Actor, ways: frozenset[Way], receivers: Sequence[UUID], **clocks: Any
) -> list[Errand]:
    # Put away already: it is to arrive, not to stand on pages.
    notice = Notice(
        id=uuid7(), kind="test", text=_TEXT, read_at=now_of(session), dedupe_key=f"test:{uuid7()}"
    )
    session.add(notice)
    session.flush()
    record(session, actor, Act.NOTICES_TESTED, f"notice:{notice.id}")
    made = []
    if Way.MAIL in ways:
        made += [_errand(Way.MAIL, "test", notice_id=notice.id, user_id=one, **clocks) for one in receivers]
    if Way.WEBHOOK in ways:
        made.append(_errand(Way.WEBHOOK, News.TEST.value, data={"reason": _TEXT}, **clocks))
    return made


def _errand(way: Way, kind: str, **more: Any) -> Errand:
    errand_id = uuid7()
    return Errand(id=errand_id, way=way, kind=kind, dedupe_key=f"test:{errand_id}", **more)


def _carry(runtime: Runtime, errand: Errand) -> Tried:
    answer = sending.carry(runtime, errand)
    # A test that did not arrive is not tried for days: whoever asked for it asks again.
    leases.settle(runtime, errand, replace(answer, final=True))
    with runtime.database.read() as session:
        user = session.get(User, errand.user_id) if errand.user_id else None
    return Tried(user.email if user else None, answer.sent, answer.words)
