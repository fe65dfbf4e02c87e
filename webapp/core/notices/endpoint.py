"""The host app's endpoint: shut when it answers 410 Gone, until an admin opens it or its address changes."""

import hashlib

from sqlalchemy import delete
from sqlalchemy.orm import Session

from webapp.core import audit
from webapp.core.notices.incidents import now_of
from webapp.core.notices.telling import tell
from webapp.models import Breaker
from webapp.settings import Settings

SCOPE = "webhook"


def is_shut(session: Session, settings: Settings) -> bool:
    """Whether the address in use said that it is gone."""
    return session.get(Breaker, (SCOPE, _key(settings))) is not None


def shut(session: Session, settings: Settings) -> None:
    """Send nothing there any more, and tell the admins."""
    if is_shut(session, settings):
        return
    now = now_of(session)
    session.merge(
        Breaker(
            scope=SCOPE, key=_key(settings), open_until=now, failures=1, incident="answered 410", since=now
        )
    )
    tell(
        session,
        dedupe_key=f"webhook-gone:{_key(settings)}:{now.isoformat()}",
        kind="webhook.gone",
        text="The host app answered a webhook with 410 Gone: its address takes none any more. They wait for "
        "three days. Set another address, or open this one again under Admin, Told.",
    )


def open_again(session: Session, actor: audit.Actor, settings: Settings) -> None:
    """Send there again."""
    gone = delete(Breaker).where(Breaker.scope == SCOPE, Breaker.key == _key(settings)).returning(Breaker.key)
    if session.execute(gone).one_or_none() is not None:
        audit.record(session, actor, audit.Act.WEBHOOK_OPENED, f"webhook:{_key(settings)}")


def _key(settings: Settings) -> str:
    """The address by a digest: it may hold what only the host app should know."""
    return hashlib.sha256(settings.webhook_url.encode()).hexdigest()[:16]
