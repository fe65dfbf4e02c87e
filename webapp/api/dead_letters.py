"""Dead letters: events that one destination could not take."""

from uuid import UUID

from pydantic import Field

from webapp.api.answers import DeadLetterPage
from webapp.api.callers import Caller
from webapp.api.inputs import Input
from webapp.api.operations import Resource
from webapp.core.api_keys import Scope
from webapp.core.queries.dead_letters import DeadLetterQuery, DeadLetterState, list_dead_letters
from webapp.core.queries.paging import MOST_ROWS, PAGE_ROWS

resource = Resource("Dead letters")


class DeadLettersQuery(Input):
    """Which dead letters to list."""

    destination: UUID | None = None
    connection: UUID | None = None
    state: DeadLetterState | None = None
    type: str | None = Field(None, max_length=512, description="The type of the event, exactly.")
    after: str | None = Field(None, max_length=500, description="The `next` of the page before.")
    limit: int = Field(PAGE_ROWS, ge=1, le=MOST_ROWS)


@resource.get("/dead-letters", scope=Scope.EVENTS_READ)
def show_dead_letters(caller: Caller, query: DeadLettersQuery) -> DeadLetterPage:
    """Dead letters, newest first."""
    wanted = DeadLetterQuery(
        owner_id=caller.only_user,
        destination_id=query.destination,
        connection_id=query.connection,
        state=query.state,
        type=query.type,
        after=query.after,
        limit=query.limit,
    )
    with caller.runtime.database.read() as session:
        return DeadLetterPage.model_validate(list_dead_letters(session, wanted))
