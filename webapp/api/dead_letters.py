"""Dead letters: events that one destination could not take."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from pydantic import Field

from webapp.api.answers import DeadLetterAnswer, DeadLetterPage, QueuedAnswer
from webapp.api.callers import Caller
from webapp.api.inputs import Input, Moment
from webapp.api.operations import Resource
from webapp.api.problems import CONFLICT
from webapp.core import dead_letters as core
from webapp.core.api_keys import Scope
from webapp.core.queries.dead_letter_export import export_dead_letters
from webapp.core.queries.dead_letters import (
    DeadLetterQuery,
    DeadLetterState,
    find_dead_letter,
    list_dead_letters,
)
from webapp.core.queries.destinations import find_destination
from webapp.core.queries.paging import MOST_ROWS, PAGE_ROWS
from webapp.core.runtime import Bell
from webapp.errors import Conflict

resource = Resource("Dead letters")


class DeadLettersChoice(Input):
    """Which dead letters."""

    destination: UUID | None = None
    connection: UUID | None = None
    state: DeadLetterState | None = None
    type: str | None = Field(None, max_length=512, description="The type of the event, exactly.")
    search: str | None = Field(None, max_length=200, description="A part of the type or of the reason.")
    event: str | None = Field(
        None,
        max_length=512,
        description="The event: the id that it was answered with here, or the one that its sender gave it.",
    )
    since: Moment | None = Field(None, description="Only those that died at this time or later.")
    until: Moment | None = Field(None, description="Only those that died at this time or earlier.")

    def wanted(self, caller: Caller, **page: Any) -> DeadLetterQuery:
        """The same for the core, of those that the caller may see."""
        return DeadLetterQuery(
            owner_id=caller.only_user,
            destination_id=self.destination,
            connection_id=self.connection,
            state=self.state,
            type=self.type,
            search=self.search,
            event=self.event,
            since=self.since,
            until=self.until,
            **page,
        )


class DeadLettersQuery(DeadLettersChoice):
    """Which dead letters to list."""

    after: str | None = Field(None, max_length=500, description="The `next` of the page before.")
    limit: int = Field(PAGE_ROWS, ge=1, le=MOST_ROWS, description="How many on a page.")


@resource.get("/dead-letters", scope=Scope.EVENTS_READ)
def show_dead_letters(caller: Caller, query: DeadLettersQuery) -> DeadLetterPage:
    """Dead letters, newest first."""
    wanted = query.wanted(caller, after=query.after, limit=query.limit)
    with caller.runtime.database.read() as session:
        return DeadLetterPage.model_validate(list_dead_letters(session, wanted))


@resource.get(
    "/dead-letters/export",
    scope=Scope.EVENTS_READ,
    gives={"application/x-ndjson": {"schema": {"type": "string"}}},
)
def export_letters(caller: Caller, query: DeadLettersChoice) -> Iterator[str]:
    """Export dead letters with their events, oldest first, one JSON object a line.

    Each line is as in the list, and has in `body` what was to be sent; of OTLP as the JSON that it has.
    """
    return export_dead_letters(caller.runtime.database, query.wanted(caller))


@resource.post(
    "/destinations/<uuid:destination_id>/dead-letters/replay",
    scope=Scope.DESTINATIONS_WRITE,
    problems=(CONFLICT,),
)
def replay_dead_letters(caller: Caller, destination_id: UUID) -> QueuedAnswer:
    """Send all open dead letters of a destination again, before its stream goes on."""
    with caller.runtime.database.read() as session:
        find_destination(session, caller.only_user, destination_id)
    return QueuedAnswer(queued=core.replay_every(caller.runtime, caller.actor, destination_id))


@resource.post("/dead-letters/<uuid:letter_id>/replay", scope=Scope.DESTINATIONS_WRITE, problems=(CONFLICT,))
def replay_dead_letter(caller: Caller, letter_id: UUID) -> DeadLetterAnswer:
    """Send it again, at its destination's next turn."""
    with caller.runtime.database.write() as session:
        find_dead_letter(session, caller.only_user, letter_id)
        if not core.replay(session, caller.actor, [letter_id]):
            raise Conflict("This dead letter is not open, or its destination has ended.")
    caller.runtime.wake(Bell.DELIVERY)
    return _shown(caller, letter_id)


@resource.post("/dead-letters/<uuid:letter_id>/discard", scope=Scope.DESTINATIONS_WRITE, problems=(CONFLICT,))
def discard_dead_letter(caller: Caller, letter_id: UUID) -> DeadLetterAnswer:
    """Let it go: it is not sent there any more."""
    with caller.runtime.database.write() as session:
        find_dead_letter(session, caller.only_user, letter_id)
        if not core.discard(session, caller.actor, [letter_id]):
            raise Conflict("This dead letter is neither open nor queued, or its destination has ended.")
    return _shown(caller, letter_id)


def _shown(caller: Caller, letter_id: UUID) -> DeadLetterAnswer:
    with caller.runtime.database.read() as session:
        return DeadLetterAnswer.model_validate(find_dead_letter(session, caller.only_user, letter_id))
