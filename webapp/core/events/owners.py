"""Whose events these are: users by id or external id, and their streams."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from webapp.core.events.drafts import Draft
from webapp.core.runtime import Runtime
from webapp.core.streams import rows
from webapp.errors import Fault, Invalid
from webapp.models import Stream, User

_UNKNOWN = "names no user of this instance: give a user's id or the external id it was made with"
_NOT_YOURS = "is not the user that this API key is bound to: leave it out"
_MISSING = "is missing: say whose event this is"


def find_streams(
    runtime: Runtime, drafts: Sequence[Draft], only_user: UUID | None, faults: Sequence[Fault] = ()
) -> list[UUID]:
    """The stream of each draft, made at a user's first event. Raises Invalid, naming every draft without one.

    `only_user` is the user that the sender's API key is bound to: nobody else's events are taken from it.
    `faults` are those of the request's other items: with any, Invalid names them too.
    """
    names = {draft.user for draft in drafts if draft.user is not None}
    if only_user is not None:
        names.add(str(only_user))
    with runtime.database.read() as session:
        users = _users(session, names)
        own = users.get(str(only_user))
        owners = [own if draft.user is None else users.get(draft.user) for draft in drafts]
        _check(drafts, owners, only_user, faults)
        ids = {owner for owner in owners if owner is not None}
        query = select(Stream.user_id, Stream.id).where(Stream.user_id.in_(ids))
        streams = dict(session.execute(query).all())
    streams |= rows.ensure_all(runtime.database, ids - streams.keys())
    return [streams[owner] for owner in owners if owner is not None]


def _users(session: Session, names: set[str]) -> dict[str, UUID]:
    ids = {UUID(name) for name in names if _is_id(name)}
    query = select(User.id, User.external_id).where(
        or_(User.id.in_(ids), User.external_id.in_(names)), User.disabled_at.is_(None)
    )
    found = session.execute(query).all()
    by_external = {external: user for user, external in found if external in names}
    return by_external | {str(user): user for user, _ in found if user in ids}


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def _check(
    drafts: Sequence[Draft],
    owners: Sequence[UUID | None],
    only_user: UUID | None,
    others: Sequence[Fault],
) -> None:
    faults = list(others)
    for draft, owner in zip(drafts, owners, strict=True):
        if only_user is not None and owner != only_user and draft.user is not None:
            faults.append(Fault(f"{draft.where}/user", _NOT_YOURS))
        elif owner is None:
            faults.append(Fault(f"{draft.where}/user", _MISSING if draft.user is None else _UNKNOWN))
    if faults:
        raise Invalid(faults)
