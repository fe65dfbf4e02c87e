"""Sources: senders whose signature lets them in, made for a user; their secrets are shown once."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from pydantic import Field

from webapp.api.answers import SourceAnswer, SourcePage, SourceSecretAnswer
from webapp.api.callers import Caller, require_user
from webapp.api.github import address_of
from webapp.api.inputs import Input
from webapp.api.operations import Resource
from webapp.api.problems import CONFLICT
from webapp.core import sources as core
from webapp.core.api_keys import Scope
from webapp.core.queries.paging import MOST_ROWS, PAGE_ROWS
from webapp.core.queries.sources import SourceRow, find_source, list_sources

resource = Resource("Sources")


class SourcesQuery(Input):
    """Which sources to list."""

    after: str | None = Field(None, max_length=500, description="The `next` of the page before.")
    limit: int = Field(PAGE_ROWS, ge=1, le=MOST_ROWS, description="How many on a page.")


class NewSource(Input):
    """For whom, and what people call it."""

    user: str | None = Field(
        None, max_length=512, description="Whose events it sends. A key that is bound to one user needs none."
    )
    name: str = Field(min_length=1, max_length=100, description="What it is, for people.")


@resource.get("/sources", scope=Scope.SOURCES)
def show_sources(caller: Caller, query: SourcesQuery) -> SourcePage:
    """Sources, newest first."""
    with caller.runtime.database.read() as session:
        found = list_sources(session, caller.only_user, after=query.after, limit=query.limit)
    return SourcePage(items=tuple(map(_answer, found.rows)), next=found.next)


@resource.post("/sources", scope=Scope.SOURCES, status=201)
def make_source(caller: Caller, body: NewSource) -> SourceSecretAnswer:
    """Make a source for GitHub: an address, and the secret that what comes there is signed with.

    At GitHub, add a webhook to the repository or organization with this address as payload URL, the content
    type application/json, and the secret; choose deployments, deployment statuses, workflow runs or releases.
    """
    return _with_secret(
        caller,
        lambda session: core.make(
            session, caller.runtime.vault, caller.actor, require_user(session, caller, body.user), body.name
        ),
    )


@resource.post("/sources/<uuid:source_id>/secret", scope=Scope.SOURCES, problems=(CONFLICT,))
def change_source_secret(caller: Caller, source_id: UUID) -> SourceSecretAnswer:
    """Make a new secret. The one before it is good for another day, so that nothing is refused meanwhile."""
    return _with_secret(
        caller,
        lambda session: core.change_secret(
            session, caller.runtime.vault, caller.actor, caller.only_user, source_id
        ),
    )


@resource.delete("/sources/<uuid:source_id>", scope=Scope.SOURCES, problems=(CONFLICT,))
def end_source(caller: Caller, source_id: UUID) -> SourceAnswer:
    """Take nothing more from it, and forget its secret. What it sent stays."""
    with caller.runtime.database.write() as session:
        core.end(session, caller.actor, caller.only_user, source_id)
        session.flush()
        return _answer(find_source(session, caller.only_user, source_id))


def _with_secret(caller: Caller, change: Callable[[Any], core.Made]) -> SourceSecretAnswer:
    with caller.runtime.database.write() as session:
        made = change(session)
        session.flush()
        row = find_source(session, caller.only_user, made.source.id)
    return SourceSecretAnswer(source=_answer(row), secret=made.secret.reveal())


def _answer(row: SourceRow) -> SourceAnswer:
    shown = {name: getattr(row, name) for name in row.__slots__}
    return SourceAnswer.model_validate({**shown, "address": address_of(row.id)})
