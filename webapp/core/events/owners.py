"""Whose events these are: users by id or external id, and their streams."""

from collections.abc import Sequence
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from webapp.core.events.drafts import Draft
from webapp.core.runtime import Runtime
from webapp.core.streams import rows
from webapp.errors import Fault, Invalid
from webapp.lib.database import Database
from webapp.lib.memory import Memory
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
    memory = _memory_of(runtime.database)
    if not faults and (known := _recall(memory, drafts, only_user)):
        return known
    names = {draft.user for draft in drafts if draft.user is not None}
    if only_user is not None:
        names.add(str(only_user))
    with runtime.database.read() as session:
        users, streams = _find(session, names)
    own = users.get(str(only_user))
    owners = [own if draft.user is None else users.get(draft.user) for draft in drafts]
    _check(drafts, owners, only_user, faults)
    found = [owner for owner in owners if owner is not None]
    streams |= rows.ensure_all(runtime.database, set(found) - streams.keys())
    for name in names:
        if (user := users.get(name)) in streams:
            memory.put(name, (user, streams[user]))
    return [streams[owner] for owner in found]


def _recall(
    memory: "Memory[str, tuple[UUID, UUID]]", drafts: Sequence[Draft], only_user: UUID | None
) -> list[UUID] | None:
    """As `find_streams`, by memory alone; None unless it knows everybody, and nobody is to be refused."""
    streams: dict[str | None, UUID] = {}
    for name in {draft.user for draft in drafts}:
        owner = only_user if name is None else name
        place = None if owner is None else memory.get(str(owner))
        if place is None or only_user not in {None, place[0]}:
            return None
        streams[name] = place[1]
    return [streams[draft.user] for draft in drafts]


def forget_streams(database: Database) -> None:
    """One was gone: the next request reads them anew."""
    _memory_of(database).forget()


#: For so long, in seconds, a process goes by what it read of a user: as long as of an API key.
_REMEMBERED, _REMEMBERED_USERS = 1.0, 10_000
#: The user and the stream of each name.
_memories: "WeakKeyDictionary[Database, Memory[str, tuple[UUID, UUID]]]" = WeakKeyDictionary()


def _memory_of(database: Database) -> "Memory[str, tuple[UUID, UUID]]":
    memory = _memories.get(database)
    if memory is None:
        memory = _memories.setdefault(database, Memory(seconds=_REMEMBERED, most=_REMEMBERED_USERS))
    return memory


def _find(session: Session, names: set[str]) -> tuple[dict[str, UUID], dict[UUID, UUID]]:
    """The users of these names, by name, and the streams they have, by user. An id goes before a name."""
    ids = {UUID(name) for name in names if _is_id(name)}
    found = session.connection().execute(_USERS, {"ids": list(ids), "names": list(names)}).all()
    users: dict[str, UUID] = {external: user for user, external, _ in found if external in names}
    users |= {str(user): user for user, _, _ in found if user in ids}
    streams: dict[UUID, UUID | None] = {user: stream for user, _, stream in found}
    return users, {user: stream for user, stream in streams.items() if stream is not None}


_USERS = (
    select(User.id, User.external_id, Stream.id)
    .join_from(User, Stream, Stream.user_id == User.id, isouter=True)
    .where(
        or_(
            User.id.in_(bindparam("ids", expanding=True)),
            User.external_id.in_(bindparam("names", expanding=True)),
        ),
        User.disabled_at.is_(None),
    )
)


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
