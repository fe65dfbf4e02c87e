"""Users: what there is of one, and their deletion with everything of theirs."""

from typing import Any
from uuid import UUID

from webapp.api.answers import UserAnswer
from webapp.api.callers import Caller
from webapp.api.operations import Resource
from webapp.api.problems import CONFLICT
from webapp.core import deletion, users
from webapp.core.api_keys import Scope
from webapp.errors import NotFound

resource = Resource("Users")


@resource.get("/users/<path:user>", scope=Scope.USERS_DELETE)
def show_user(caller: Caller, user: str) -> UserAnswer:
    """What there is of a user here, whom an id, an external id or an e-mail address names.

    404 when there is nobody of that name, or nobody any more.
    """
    with caller.runtime.database.read() as session:
        return UserAnswer.model_validate(deletion.read_loss(session, _find(session, caller, user)))


@resource.delete("/users/<path:user>", scope=Scope.USERS_DELETE, problems=(CONFLICT,))
def delete_user(caller: Caller, user: str) -> UserAnswer:
    """Delete a user with everything of theirs; what goes is in the answer. This cannot be undone.

    At once nobody comes in as them and no event of theirs is taken. Their connections end, and what vendors
    can revoke is revoked; that and the rest take some minutes, or three days at most if a vendor does not
    answer. Asking again changes nothing; when all is gone the answer is 404, and the same external id is
    somebody new.
    """
    with caller.runtime.database.write() as session:
        loss = deletion.begin(session, caller.actor, _find(session, caller, user))
    return UserAnswer.model_validate(loss)


def _find(session: Any, caller: Caller, name: str) -> UUID:
    found = users.find_by_any_name(session, name)
    if found is None or caller.only_user not in {None, found.id}:
        raise NotFound
    return found.id
