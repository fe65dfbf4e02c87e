"""The chain of audit lines: each sealed line's mac covers the line and the mac before it.

Lines are written unsealed, by anybody, in the transaction of the act; one sealer at a time gives them their
places, within a second. The chain's key lies sealed in the head's row: whoever can write to the database but
lacks the vault's keys can neither change, take out, slip in nor reorder a sealed line unseen. What nobody can
see from inside is a whole older database put in place of this one: for that, compare with an anchor, a head
that was kept elsewhere.
"""

import hmac
import json
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.core import audit, credentials
from webapp.core.audit import Act
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, VaultError
from webapp.lib.secret import Secret
from webapp.models import AuditHead, AuditLine

_HEAD = UUID("a0d17000-0000-4000-8000-000000000001")
_BATCH_LINES = 500
_START = bytes(32)


@dataclass(frozen=True, slots=True)
class Anchor:
    """The end of the chain at some moment; `str` of it is what one keeps elsewhere: `number:mac`."""

    chain_no: int
    mac: bytes

    def __str__(self) -> str:
        return f"{self.chain_no}:{self.mac.hex()}"

    @classmethod
    def parse(cls, text: str) -> "Anchor":
        """Read what `str` wrote. Raises ValueError."""
        number, _, mac = text.strip().partition(":")
        if not mac:
            raise ValueError("there is no mac")
        return cls(int(number), bytes.fromhex(mac))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a look at the whole chain found."""

    #: lines that are as they were sealed, up to the first that is not
    good: int
    #: the first thing that is wrong, with the line; None: nothing is
    fault: str | None
    head: Anchor | None
    #: lines that wait for the sealer
    unsealed: int
    #: sealed lines whose words were erased, on record
    erased: int


def seal(runtime: Runtime) -> Anchor | None:
    """Seal what is unsealed, in order; the new head, or None when there was nothing to do.

    One at a time: a second sealer leaves it to the first. Raises Conflict when the head's row is gone.
    """
    head: Anchor | None = None
    while _waiting(runtime):
        with runtime.database.write() as session:
            row = session.get(AuditHead, _HEAD, with_for_update={"skip_locked": True})
            if row is None and (row := _begin(session, runtime)) is None:
                return head
            _seal_batch(session, credentials.open_chain_key(runtime.vault, row), row)
            head = Anchor(row.chain_no, row.mac)
    return head


def read_head(session: Session) -> Anchor | None:
    """Where the chain ends now; None while nothing was sealed."""
    row = session.get(AuditHead, _HEAD)
    return Anchor(row.chain_no, row.mac) if row else None


def verify(runtime: Runtime, anchor: Anchor | None = None) -> Verdict:
    """Look at every line in order, and at `anchor`: what was the head when somebody wrote it down."""
    with runtime.database.read() as session:
        head = read_head(session)
        waiting = select(func.count()).where(AuditLine.chain_no.is_(None))
        unsealed = session.execute(waiting).scalar_one()
        try:
            check, fault = _walk(session, runtime, anchor)
        except VaultError as error:
            check, fault = None, f"the key of the chain cannot be opened: {error}"
        fault = fault or _strays(session)
    good, erased = (check.good, len(check.erased)) if check else (0, 0)
    return Verdict(good=good, fault=fault, head=head, unsealed=unsealed, erased=erased)


def erase(session: Session, actor: audit.Actor, *things: str) -> int:
    """Empty the words of every line by or about one of `things` (`user:<id>`), on record; how many.

    The chain still holds. Who and what stay, as ids that say nothing once the person is gone.
    """
    erased = session.execute(
        update(AuditLine)
        .where(
            or_(AuditLine.actor.in_(things), AuditLine.object.in_(things)),
            AuditLine.detail.is_not(None),
        )
        .values(detail=None)
        .returning(AuditLine.actor, AuditLine.object)
        .execution_options(synchronize_session=False)
    )
    about = [frozenset(line) for line in erased.all()]
    for thing in things:
        count = sum(thing in line for line in about)
        audit.record(session, actor, Act.AUDIT_ERASED, thing, detail=f"the words of {count} lines")
    return len(about)


class _Check:
    """One walk along the chain."""

    def __init__(self, key: bytes, anchor: Anchor | None) -> None:
        self.good = 0
        #: the numbers of lines without their words, and whom they were about
        self.erased: dict[int, frozenset[str]] = {}
        self._key, self._anchor = key, anchor
        self._before = _START
        self._on_record: set[str] = set()
        self._anchor_fits = anchor is None

    def walk(self, session: Session, head: Anchor) -> str | None:
        """The first fault on the way from the start to `head`."""
        with closing(_lines_up_to(session, head.chain_no)) as lines:
            for line in lines:
                fault = self._fault_of(line)
                if fault is not None:
                    return self._erasure_fault(session) or fault
                self._pass(line)
        if self.good < head.chain_no:
            return f"line {self.good + 1} is missing, and all behind it: the head is {head.chain_no}"
        if not hmac.compare_digest(self._before, head.mac):
            return f"the head's own mac does not fit line {head.chain_no}"
        return self._anchor_fault() or self._erasure_fault(session)

    def _fault_of(self, line: AuditLine) -> str | None:
        expected = self.good + 1
        if line.chain_no != expected:
            return f"line {expected} is missing: the next is {line.chain_no} (id {line.id})"
        wanted = _mac(self._key, self._before, line, expected, line.detail_mac)
        if line.mac is None or not hmac.compare_digest(wanted, line.mac):
            return f"line {expected} (id {line.id}, {line.at:%Y-%m-%d %H:%M:%S} UTC) was changed or moved"
        erased = line.detail is None and line.detail_mac is not None
        if not erased and _detail_mac(self._key, line) != line.detail_mac:
            return f"the words of line {expected} (id {line.id}) were changed"
        return None

    def _pass(self, line: AuditLine) -> None:
        self.good += 1
        self._before = line.mac or _START
        if self._anchor == Anchor(self.good, self._before):
            self._anchor_fits = True
        if line.detail is None and line.detail_mac is not None:
            self.erased[self.good] = frozenset((line.actor, line.object))
        if line.act == Act.AUDIT_ERASED:
            self._on_record.add(line.object)

    def _anchor_fault(self) -> str | None:
        if self._anchor_fits or self._anchor is None:
            return None
        if self._anchor.chain_no > self.good:
            return f"the chain ends at line {self.good}, before the anchor: lines behind it are gone"
        return f"line {self._anchor.chain_no} is not the one that the anchor names: this is another chain"

    def _erasure_fault(self, session: Session) -> str | None:
        # The record of an erasure stands behind it: beyond where this walk ended, or not yet sealed.
        behind = or_(AuditLine.chain_no.is_(None), AuditLine.chain_no > self.good)
        later = select(AuditLine.object).where(AuditLine.act == Act.AUDIT_ERASED.value, behind)
        recorded = self._on_record.union(session.scalars(later))
        off_record = (number for number, about in self.erased.items() if not about & recorded)
        first = next(off_record, None)
        return f"the words of line {first} were taken out, and no line says by whom" if first else None


def _strays(session: Session) -> str | None:
    """Lines that bear a mark of the chain and have no place up to its head."""
    last = session.scalar(select(func.max(AuditLine.chain_no))) or 0
    # Read after the lines: meanwhile the head may have moved on, but never back.
    head = session.scalar(select(AuditHead.chain_no))
    if head is None:
        return "the head of the chain is gone" if last else None
    if last > head:
        return f"line {last} stands behind the head {head}: nobody sealed it"
    return None


def _walk(session: Session, runtime: Runtime, anchor: Anchor | None) -> "tuple[_Check | None, str | None]":
    row = session.get(AuditHead, _HEAD)
    if row is None:
        return None, "there is no chain, and the anchor says that there was one" if anchor else None
    check = _Check(_bytes(credentials.open_chain_key(runtime.vault, row)), anchor)
    return check, check.walk(session, Anchor(row.chain_no, row.mac))


def _waiting(runtime: Runtime) -> bool:
    with runtime.database.read() as session:
        return session.scalar(select(AuditLine.id).where(AuditLine.chain_no.is_(None)).limit(1)) is not None


def _begin(session: Session, runtime: Runtime) -> AuditHead | None:
    """The first head; None when another sealer holds it. Raises Conflict when there was one before."""
    # The lines before the head: where another begins at this moment, whoever sees its lines sees its head.
    was_begun = session.scalar(select(AuditLine.id).where(AuditLine.mac.is_not(None)).limit(1)) is not None
    if session.scalar(select(AuditHead.id)) is not None:
        return None
    if was_begun:
        message = "the head of the audit's chain is gone: see `hitchpost audit verify`"
        raise Conflict(message)
    head = AuditHead(id=_HEAD, chain_no=0, mac=_START)
    credentials.make_chain_key(runtime.vault, head)
    try:
        with session.begin_nested():
            session.add(head)
    except IntegrityError:
        return None  # another sealer began at the same moment
    return head


def _seal_batch(session: Session, key: Secret, head: AuditHead) -> None:
    query = select(AuditLine).where(AuditLine.chain_no.is_(None)).order_by(AuditLine.id).limit(_BATCH_LINES)
    rows: list[dict[str, object]] = []
    for line in session.scalars(query):
        detail_mac = _detail_mac(_bytes(key), line)
        head.mac = _mac(_bytes(key), head.mac, line, head.chain_no + 1, detail_mac)
        head.chain_no += 1
        rows.append({"id": line.id, "chain_no": head.chain_no, "detail_mac": detail_mac, "mac": head.mac})
    session.execute(update(AuditLine), rows)


def _lines_up_to(session: Session, chain_no: int) -> Generator[AuditLine, None, None]:
    query = select(AuditLine).where(AuditLine.chain_no <= chain_no).order_by(AuditLine.chain_no)
    found = session.scalars(query, execution_options={"yield_per": _BATCH_LINES})
    try:
        yield from found
    finally:
        found.close()


def _mac(key: bytes, before: bytes, line: AuditLine, chain_no: int, detail_mac: bytes | None) -> bytes:
    fields = [
        chain_no,
        line.id,
        line.at.isoformat(),
        line.actor,
        line.act,
        line.object,
        str(line.connection_id or ""),
        detail_mac.hex() if detail_mac else None,
    ]
    return hmac.digest(key, b"line" + before + json.dumps(fields).encode(), "sha256")


def _detail_mac(key: bytes, line: AuditLine) -> bytes | None:
    if line.detail is None:
        return None
    return hmac.digest(key, f"detail {line.id} {line.detail}".encode(), "sha256")


def _bytes(key: Secret) -> bytes:
    return bytes.fromhex(key.reveal())
