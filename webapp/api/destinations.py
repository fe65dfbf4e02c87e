"""Destinations: where events go, how far they came, and how to stop, resume or repeat them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from webapp.api.answers import (
    DestinationAnswer,
    DestinationDetailAnswer,
    DestinationPage,
    PreviewAnswer,
    RewindAnswer,
)
from webapp.api.callers import Caller
from webapp.api.inputs import Input, Moment
from webapp.api.operations import Resource
from webapp.api.problems import CONFLICT
from webapp.core import delivery
from webapp.core import destinations as core
from webapp.core.api_keys import Scope
from webapp.core.queries.destinations import DestinationQuery, find_destination, list_destinations
from webapp.core.queries.pace import drained_in
from webapp.core.queries.paging import MOST_ROWS, PAGE_ROWS
from webapp.core.runtime import Bell
from webapp.errors import Invalid

resource = Resource("Destinations")


class DestinationsQuery(Input):
    """Which destinations to list."""

    connection: UUID | None = None
    after: str | None = Field(None, max_length=500, description="The `next` of the page before.")
    limit: int = Field(PAGE_ROWS, ge=1, le=MOST_ROWS, description="How many on a page.")


def _only(name: str, type: str, other: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"type": type}, other: {"type": "null"}}}


class RewindTo(Input):
    """From where to send again: exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [_only("to_seq", "integer", "to_time"), _only("to_time", "string", "to_seq")]
        }
    )

    to_seq: int | None = Field(None, ge=1, lt=2**63, description="The seq of the first event to send again.")
    to_time: Moment | None = Field(
        None, description="Send again whatever was accepted at this time or later."
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.to_seq is None) == (self.to_time is None):
            message = "give either to_seq or to_time"
            raise ValueError(message)
        return self


class SettingsInput(Input):
    """The settings of a destination, all of them: what is left out is as its kind has it by default."""

    settings: dict[str, Any] = Field(
        description="What every kind of event has: `types`, patterns of types in a list; `where`, conditions "
        "that must all hold, a line each; `mapping`, changes of the envelope, a line each; `fresh_for`, how "
        "late is too late, like `15 m`. `where` and `mapping` may be a list of lines. What is passed on as "
        "OTLP has `fresh_for` alone. The rest is the kind's own.",
        examples=[
            {
                "types": ["deploy*"],
                "where": "data.environment = production",
                "mapping": ["data.region -> data.cloud.region", "- data.secret", "data.team = payments"],
                "fresh_for": "15 m",
            }
        ],
    )


class PreviewInput(Input):
    """The settings to try."""

    settings: dict[str, Any] | None = Field(None, description="As for a change; left out: as they are saved.")


@resource.get("/destinations", scope=Scope.CONNECTIONS_READ)
def show_destinations(caller: Caller, query: DestinationsQuery) -> DestinationPage:
    """Destinations, newest first, each with where it stands and its ledger."""
    wanted = DestinationQuery(
        owner_id=caller.only_user, connection_id=query.connection, after=query.after, limit=query.limit
    )
    with caller.runtime.database.read() as session:
        return DestinationPage.model_validate(list_destinations(session, wanted))


@resource.get("/destinations/<uuid:destination_id>", scope=Scope.CONNECTIONS_READ)
def show_destination(caller: Caller, destination_id: UUID) -> DestinationDetailAnswer:
    """One destination."""
    with caller.runtime.database.read() as session:
        row = find_destination(session, caller.only_user, destination_id)
        shown = DestinationAnswer.model_validate(row)
        return DestinationDetailAnswer.model_construct(
            **dict(shown), drained_in_seconds=drained_in(session, row)
        )


@resource.post(
    "/destinations/<uuid:destination_id>/pause", scope=Scope.DESTINATIONS_WRITE, problems=(CONFLICT,)
)
def pause_destination(caller: Caller, destination_id: UUID) -> DestinationDetailAnswer:
    """Stop it; events wait."""
    with caller.runtime.database.write() as session:
        find_destination(session, caller.only_user, destination_id)
        core.hold(session, destination_id, core.Hold.PAUSED, "Paused by the app.", actor=caller.actor)
    return show_destination(caller, destination_id)


@resource.post(
    "/destinations/<uuid:destination_id>/resume", scope=Scope.DESTINATIONS_WRITE, problems=(CONFLICT,)
)
def resume_destination(caller: Caller, destination_id: UUID) -> DestinationDetailAnswer:
    """Start it again, from where it stood."""
    with caller.runtime.database.write() as session:
        find_destination(session, caller.only_user, destination_id)
        core.release(session, caller.actor, destination_id)
    caller.runtime.wake(Bell.DELIVERY)
    return show_destination(caller, destination_id)


@resource.post(
    "/destinations/<uuid:destination_id>/rewind/count", scope=Scope.EVENTS_READ, problems=(CONFLICT,)
)
def count_rewind(caller: Caller, destination_id: UUID, body: RewindTo) -> RewindAnswer:
    """Count what a rewind would send again; nothing is sent."""
    with caller.runtime.database.write() as session:
        find_destination(session, caller.only_user, destination_id)
        found = core.measure_rewind(session, destination_id, to_seq=body.to_seq, to_time=body.to_time)
    return RewindAnswer.model_validate(found)


@resource.post(
    "/destinations/<uuid:destination_id>/rewind", scope=Scope.DESTINATIONS_WRITE, problems=(CONFLICT,)
)
def rewind_destination(caller: Caller, destination_id: UUID, body: RewindTo) -> DestinationDetailAnswer:
    """Send again what was sent before, from a seq or a time on.

    Events keep their ids, so that repeats can be told. `tail_seq` says how far back anything is kept.
    """
    with caller.runtime.database.write() as session:
        find_destination(session, caller.only_user, destination_id)
        core.rewind(session, caller.actor, destination_id, to_seq=body.to_seq, to_time=body.to_time)
    caller.runtime.wake(Bell.DELIVERY)
    return show_destination(caller, destination_id)


@resource.post(
    "/destinations/<uuid:destination_id>/backfill", scope=Scope.DESTINATIONS_WRITE, problems=(CONFLICT,)
)
def backfill_destination(caller: Caller, destination_id: UUID) -> DestinationDetailAnswer:
    """Let a new destination begin with everything that is kept, back to `tail_seq`.

    Only while it has settled nothing, so that nothing is sent twice: pause it first if events come meanwhile.
    Afterwards a rewind to `tail_seq` sends the same, and again what was settled.
    """
    with caller.runtime.database.write() as session:
        find_destination(session, caller.only_user, destination_id)
        core.backfill(session, caller.actor, destination_id)
    caller.runtime.wake(Bell.DELIVERY)
    return show_destination(caller, destination_id)


@resource.post(
    "/destinations/<uuid:destination_id>/settings", scope=Scope.DESTINATIONS_WRITE, problems=(CONFLICT,)
)
def change_destination(caller: Caller, destination_id: UUID, body: SettingsInput) -> DestinationDetailAnswer:
    """Change what it wants, and in which form.

    The next request goes out with the new settings; try them on a preview first.
    """
    with caller.runtime.database.write() as session:
        find_destination(session, caller.only_user, destination_id)
        with _named():
            core.change_settings(session, caller.actor, destination_id, body.settings)
    caller.runtime.wake(Bell.DELIVERY)
    return show_destination(caller, destination_id)


@resource.post("/destinations/<uuid:destination_id>/preview", scope=Scope.EVENTS_READ, problems=(CONFLICT,))
def preview_destination(caller: Caller, destination_id: UUID, body: PreviewInput) -> PreviewAnswer:
    """Show the exact request that these settings would make of the latest events.

    Nothing is sent, and nothing is kept: neither the settings nor the request.
    """
    with caller.runtime.database.read() as session:
        row = find_destination(session, caller.only_user, destination_id)
    settings = row.settings if body.settings is None else body.settings
    with _named():
        made = delivery.preview(caller.runtime, row.environment_id, row.kind, settings)
    return PreviewAnswer.model_validate(made)


@contextmanager
def _named() -> Iterator[None]:
    """What is wrong with a setting is said with its place in the body."""
    try:
        yield
    except Invalid as error:
        raise Invalid([replace(fault, where=f"/settings/{fault.where}") for fault in error.faults]) from None
