"""What installs need though nobody looks at them: codes tried again, and ends when their time is up."""

from sqlalchemy import select

from webapp.core.installs.ends import expire
from webapp.core.installs.exchange import advance
from webapp.core.runtime import Runtime
from webapp.lib.database import db_time
from webapp.models import Install, InstallState


def sweep(runtime: Runtime, *, limit: int = 100) -> int:
    """Trade the codes that wait, then end what has outlived its time; how many installs were looked at."""
    waiting = select(Install.id).where(Install.state == InstallState.RECEIVED, Install.expires_at > db_time())
    with runtime.database.read() as session:
        ids = session.scalars(waiting.order_by(Install.expires_at).limit(limit)).all()
    for install_id in ids:
        advance(runtime, install_id)
    with runtime.database.write() as session:
        return len(ids) + expire(session)
