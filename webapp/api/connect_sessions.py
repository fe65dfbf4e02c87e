"""Connect sessions: the way in for a host app's own user."""

from pydantic import Field

from webapp.api.answers import ConnectSessionAnswer
from webapp.api.callers import Caller
from webapp.api.inputs import Input
from webapp.api.operations import Resource
from webapp.core import connect_sessions
from webapp.core.api_keys import Scope
from webapp.errors import Forbidden

resource = Resource("Connect sessions")


class NewConnectSession(Input):
    """For whom, and where they return to."""

    external_id: str = Field(min_length=1, max_length=200, description="Your own id of this user.")
    return_to: str | None = Field(
        None, max_length=2000, description="An address at one of the origins that this instance allows."
    )


@resource.post("/connect-sessions", scope=Scope.CONNECT_SESSIONS, status=201)
def make_connect_session(caller: Caller, body: NewConnectSession) -> ConnectSessionAnswer:
    """Make a link by which one of your users connects an account here.

    The link works once, for ten minutes. The user is made at the first use of an `external_id`.
    """
    if caller.only_user is not None:
        raise Forbidden("This API key is bound to one user, and a connect session may be for anybody.")
    settings = caller.runtime.settings
    with caller.runtime.database.write() as session:
        link, expires_at = connect_sessions.create(
            session, caller.actor, body.external_id, body.return_to, settings.return_origins
        )
    url = f"{settings.public_url}/connect/session/{link.reveal()}"
    return ConnectSessionAnswer(url=url, expires_at=expires_at)
