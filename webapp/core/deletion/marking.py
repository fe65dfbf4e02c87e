"""The mark: from its commit on somebody is being deleted, whatever happens."""

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from webapp.core import users
from webapp.core.audit import Act, Actor, record
from webapp.core.deletion.loss import Loss, read_loss
from webapp.errors import Conflict, Fault, Invalid
from webapp.lib import clock
from webapp.models import ApiKey


def begin(session: Session, actor: Actor, user_id: UUID, *, typed: str | None = None) -> Loss:
    """Mark the user for deletion, which cannot be undone, and say what goes. Twice is as good as once.

    `typed` is what a person typed as the user's name, to be sure. Raises NotFound, Invalid when it is
    another, Conflict for oneself and for the last admin.
    """
    user = users.get(session, user_id)
    if actor == Actor.user(user_id):
        raise Conflict("Nobody deletes themselves: let another admin do it.")
    if typed is not None and typed.strip() != user.label:
        raise Invalid([Fault("name", f"is to be {user.label}")])
    if user.deleting_at is None:
        users.disable(session, actor, user_id)
        user.deleting_at = clock.now()
        keys = update(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
        session.execute(keys.values(revoked_at=user.deleting_at))
        record(session, actor, Act.USER_DELETION_BEGUN, f"user:{user_id}")
        session.flush()
    return read_loss(session, user_id)
