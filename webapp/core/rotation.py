"""Rotation of the vault's keys: everything sealed is sealed again under the active key, while all goes on.

What is done is told by the sealed bytes themselves, which name their key: a rotation that was killed is
simply started again. Rows are locked a few at a time, and one that somebody else holds is left for a later
pass, so that a refresh never waits for a rotation and what it writes stays.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import Session

from webapp.core import audit, credentials
from webapp.core.audit import Act
from webapp.core.connections import moment_of
from webapp.core.runtime import Runtime
from webapp.errors import VaultError
from webapp.lib.vault import prefix_of
from webapp.models import AuditHead, Credential, Install, Revocation, Source

#: Every table that holds sealed values; `sealed` is null where nothing is held any more.
TABLES: tuple[type[credentials.Sealed], ...] = (Credential, Install, AuditHead, Source, Revocation)
#: A code that comes again within this time is known by its digest, and makes no second call.
CODES_KNOWN = timedelta(hours=24)
_BATCH_ROWS = 100
_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """What there is under one key."""

    key_id: str
    active: bool
    #: sealed values, by table
    sealed: dict[str, int]
    #: install codes that are known again by a digest of this key only
    codes: int

    @property
    def retirable(self) -> bool:
        """Whether it may leave the ring, once no process has it in the first place there."""
        return not self.active and not self.codes and not any(self.sealed.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What there is under each key of the ring, and under keys that are not on it."""

    keys: tuple[KeyUse, ...]
    #: sealed values that no key of the ring opens, by table
    strange: dict[str, int]

    def of(self, key_id: str) -> KeyUse | None:
        """One key's; None when it is not on the ring."""
        return next((use for use in self.keys if use.key_id == key_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation did."""

    count: int
    #: what could not be opened, as `table row: why`; it is as it was
    faults: tuple[str, ...]


def read_use(runtime: Runtime) -> Use:
    """Count what is under each key, by the sealed bytes themselves."""
    with runtime.database.read() as session:
        order = sorted(runtime.vault.key_ids, key=lambda key_id: (key_id != runtime.vault.active, key_id))
        keys = tuple(_use_of(session, runtime, key_id) for key_id in order)
        totals = {table.__tablename__: _count(session, table) for table in TABLES}
    strange = {name: total - sum(key.sealed[name] for key in keys) for name, total in totals.items()}
    return Use(keys=keys, strange=strange)


def left(runtime: Runtime) -> int:
    """How many sealed values are not under the active key."""
    with runtime.database.read() as session:
        return sum(_count(session, table, ~_under(table, runtime.vault.active)) for table in TABLES)


def rotate(runtime: Runtime, done: Callable[[int], object] = lambda _count: None) -> Rotated:
    """Seal everything again under the active key; `done` hears of each batch. What it did.

    Every process must have the active key on its ring before this begins: at the end nothing opens without.
    """
    count, faults = 0, dict[UUID, str]()
    while left(runtime) > len(faults):
        moved = 0
        for table in TABLES:
            for batch in _batches(runtime, table, faults):
                moved += batch
                done(batch)
        count += moved
        if not moved and left(runtime) > len(faults):
            time.sleep(_PAUSE_SECONDS)  # all that is left is held by others at this moment
    return Rotated(count=count, faults=tuple(faults.values()))


def _batches(runtime: Runtime, table: type[credentials.Sealed], faults: dict[UUID, str]) -> Iterator[int]:
    """One pass over a table in the order of its ids; how many of each batch were sealed again."""
    last: UUID | None = None
    while True:
        with runtime.database.write() as session:
            rows = _take(session, table, runtime.vault.active, last)
            broken = _reseal(runtime, rows)
            count = len(rows) - len(broken)
            if count:
                thing, detail = f"vault:{runtime.vault.active}", f"{count} {table.__tablename__} sealed again"
                audit.record(session, audit.HITCHPOST, Act.KEYS_ROTATED, thing, detail=detail)
        faults |= broken
        if not rows:
            return
        last = rows[-1].id
        yield count


def _take(
    session: Session, table: type[credentials.Sealed], active: str, last: UUID | None
) -> list[credentials.Sealed]:
    query = select(table).where(table.sealed.is_not(None), ~_under(table, active))
    if last is not None:
        query = query.where(table.id > last)
    query = query.order_by(table.id).limit(_BATCH_ROWS).with_for_update(skip_locked=True)
    return list(session.scalars(query))


def _reseal(runtime: Runtime, rows: list[credentials.Sealed]) -> dict[UUID, str]:
    broken: dict[UUID, str] = {}
    for row in rows:
        try:
            credentials.reseal(runtime.vault, row)
        except VaultError as error:
            broken[row.id] = f"{row.__tablename__} {row.id}: {error}"
    return broken


def _use_of(session: Session, runtime: Runtime, key_id: str) -> KeyUse:
    recent = Install.received_at > moment_of(session) - CODES_KNOWN
    codes = select(func.count()).where(Install.code_key_id == key_id, recent)
    return KeyUse(
        key_id=key_id,
        active=key_id == runtime.vault.active,
        sealed={table.__tablename__: _count(session, table, _under(table, key_id)) for table in TABLES},
        codes=session.execute(codes).scalar_one(),
    )


def _count(session: Session, table: type[credentials.Sealed], *which: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(table).where(table.sealed.is_not(None), *which)
    return session.execute(query).scalar_one()


def _under(table: type[credentials.Sealed], key_id: str) -> ColumnElement[bool]:
    """Whether the sealed bytes of a row name this key."""
    prefix = prefix_of(key_id)
    return func.substr(table.sealed, 1, len(prefix)) == literal(prefix)
