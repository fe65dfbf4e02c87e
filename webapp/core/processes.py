"""Which processes of ours live: each says so every few seconds, and `/readyz` asks for a worker."""

import socket
from datetime import timedelta
from uuid import UUID, uuid5

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from webapp.lib import clock
from webapp.lib.database import db_time
from webapp.models import Process

#: What a Process may be.
WORKER, BEAT = "worker", "beat"
#: A process that was silent for so many seconds counts as gone.
SILENT_SECONDS = 30.0
#: All beats share one row: what matters is that anybody beats.
ANY_BEAT = UUID("b37a0000-0000-4000-8000-000000000000")
_KEPT = timedelta(days=1)


def seen(session: Session, process_id: UUID, kind: str) -> None:
    """Note that this process lives."""
    row = Process(id=uuid5(process_id, kind), kind=kind, host=socket.gethostname())
    session.merge(row).seen_at = session.execute(select(db_time())).scalar_one()


def gone(session: Session, process_id: UUID, kind: str) -> None:
    """Note that this process ends in order."""
    session.execute(delete(Process).where(Process.id == uuid5(process_id, kind)))


def lives(session: Session, kind: str, *, within: float = SILENT_SECONDS) -> bool:
    """Whether any process of this kind was seen in the last `within` seconds."""
    fresh = select(func.count()).where(Process.kind == kind, Process.seen_at >= db_time(-within))
    return bool(session.execute(fresh).scalar_one())


def forget(session: Session) -> None:
    """Drop what was last seen a day ago."""
    session.execute(delete(Process).where(Process.seen_at < clock.now() - _KEPT))
