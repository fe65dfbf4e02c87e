"""The identity of an event begins with its id: those whose ids grow lie side by side in the index.

What a process of the code before stores after this move keeps its old identity: sent once more, it is a
second event. Who cannot have that stops `web` first.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision: str = "0012_identities"
down_revision: str | None = "0011_deletion"

_events = sa.table(
    "events",
    sa.column("stream_id", sa.Uuid),
    sa.column("seq", sa.BigInteger),
    sa.column("key_hash", sa.LargeBinary),
    sa.column("digest", sa.LargeBinary),
    sa.column("type", sa.Text),
    sa.column("source", sa.Text),
    sa.column("body", sa.LargeBinary),
)
_ORDER = (_events.c.stream_id, _events.c.seq)
_AT_ONCE = 1_000


def upgrade() -> None:
    """Put the id before half of the hash of (source, id)."""
    _rewrite(lambda event: _id(event).encode()[:32] + event.key_hash[:16])


def downgrade() -> None:
    """Make the whole hash again."""
    _rewrite(lambda event: hashlib.sha256(_compact([event.source, _id(event)])).digest())


def _rewrite(identity: Callable[[sa.Row[*tuple[object, ...]]], bytes]) -> None:
    change = (
        sa.update(_events)
        .where(_events.c.stream_id == sa.bindparam("stream"), _events.c.seq == sa.bindparam("at"))
        .values(key_hash=sa.bindparam("identity"))
    )
    for page in _pages():
        changed = [{"stream": one.stream_id, "at": one.seq, "identity": identity(one)} for one in page]
        op.get_bind().execute(change, changed)


def _pages() -> Iterator[list[sa.Row[*tuple[object, ...]]]]:
    """All events in the order of their rows: many must not be held at once."""
    last = (UUID(int=0), 0)
    while True:
        chosen = (
            sa.select(_events).where(sa.tuple_(*_ORDER) > sa.tuple_(*last)).order_by(*_ORDER).limit(_AT_ONCE)
        )
        page = list(op.get_bind().execute(chosen))
        if not page:
            return
        last = page[-1].stream_id, page[-1].seq
        yield page


def _id(event: sa.Row[*tuple[object, ...]]) -> str:
    """As the host app named it; of an OTLP event its digest."""
    if event.type.startswith("otlp."):
        return str(event.digest.hex())
    return str(json.loads(event.body)["id"])


def _compact(value: list[str]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
