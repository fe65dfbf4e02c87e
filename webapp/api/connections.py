"""Connections: what a host app may see of them, and do with them."""

from uuid import UUID

from pydantic import Field

from webapp.api.answers import (
    AccessTokenAnswer,
    ConnectionDetailAnswer,
    ConnectionPage,
    DisconnectedAnswer,
)
from webapp.api.callers import Caller
from webapp.api.inputs import Input
from webapp.api.operations import Resource
from webapp.api.problems import CONFLICT, VENDOR
from webapp.core import connections as core
from webapp.core.api_keys import Scope
from webapp.core.handouts import hand_out
from webapp.core.queries.connection import find_connection, require_connection
from webapp.core.queries.connections import ConnectionQuery, ConnectionState, list_connections
from webapp.core.queries.paging import MOST_ROWS, PAGE_ROWS
from webapp.core.runtime import Bell

resource = Resource("Connections")


class ConnectionsQuery(Input):
    """Which connections to list."""

    state: ConnectionState | None = None
    provider: str | None = Field(None, max_length=64)
    search: str = Field("", max_length=200, description="Part of the account's label or the owner's name.")
    after: str | None = Field(None, max_length=500, description="The `next` of the page before.")
    limit: int = Field(PAGE_ROWS, ge=1, le=MOST_ROWS, description="How many on a page.")


class AccessTokenQuery(Input):
    """Which access token, and how long it must last."""

    scope: str = Field("", max_length=200, description="The vendor's scope; empty: the only or usual one.")
    min_ttl: int = Field(60, ge=0, le=3600, description="Seconds that the access token must still have.")


@resource.get("/connections", scope=Scope.CONNECTIONS_READ)
def show_connections(caller: Caller, query: ConnectionsQuery) -> ConnectionPage:
    """Connections, newest first."""
    wanted = ConnectionQuery(
        owner_id=caller.only_user,
        search=query.search,
        state=query.state,
        provider=query.provider,
        after=query.after,
        limit=query.limit,
    )
    with caller.runtime.database.read() as session:
        return ConnectionPage.model_validate(list_connections(session, wanted))


@resource.get("/connections/<uuid:connection_id>", scope=Scope.CONNECTIONS_READ)
def show_connection(caller: Caller, connection_id: UUID) -> ConnectionDetailAnswer:
    """One connection, with its environments."""
    with caller.runtime.database.read() as session:
        found = find_connection(session, caller.only_user, connection_id)
    return ConnectionDetailAnswer.model_validate(found)


@resource.get(
    "/connections/<uuid:connection_id>/access-token",
    scope=Scope.CREDENTIALS_READ,
    problems=(CONFLICT, VENDOR),
    quick=True,
)
def show_access_token(caller: Caller, connection_id: UUID, query: AccessTokenQuery) -> AccessTokenAnswer:
    """An access token of the vendor's that works now.

    It is refreshed first when it would not last `min_ttl` seconds (as far as the vendor's lifetimes allow).
    Every answer leaves a line in the connection's timeline.
    """
    given = hand_out(
        caller.runtime,
        caller.actor,
        connection_id,
        only_user=caller.only_user,
        scope=query.scope,
        min_ttl=query.min_ttl,
    )
    return AccessTokenAnswer(access_token=given.access_token.reveal(), expires_at=given.expires_at)


@resource.post(
    "/connections/<uuid:connection_id>/refresh",
    scope=Scope.CONNECTIONS_WRITE,
    status=202,
    problems=(CONFLICT,),
)
def refresh_connection(caller: Caller, connection_id: UUID) -> ConnectionDetailAnswer:
    """Have its access token refreshed now; the answer does not wait for the vendor."""
    with caller.runtime.database.write() as session:
        require_connection(session, caller.only_user, connection_id)
        core.refresh_now(session, caller.actor, connection_id)
    caller.runtime.wake(Bell.REFRESH)
    return show_connection(caller, connection_id)


@resource.delete("/connections/<uuid:connection_id>", scope=Scope.CONNECTIONS_WRITE, problems=(CONFLICT,))
def disconnect(caller: Caller, connection_id: UUID) -> DisconnectedAnswer:
    """End a connection: its secrets are forgotten, its destinations closed.

    This cannot be undone. What waits is not delivered any more.
    """
    with caller.runtime.database.read() as session:
        require_connection(session, caller.only_user, connection_id)
    farewell = core.disconnect(caller.runtime, caller.actor, connection_id)
    return DisconnectedAnswer(id=connection_id, at_the_vendor=farewell)
