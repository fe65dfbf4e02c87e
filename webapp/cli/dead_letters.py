"""`hitchpost dead-letters`: events that a destination could not take: looked at, taken along, sent again."""

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click

from webapp.cli import home as homes
from webapp.core import dead_letters as core
from webapp.core import users
from webapp.core.audit import HITCHPOST
from webapp.core.queries.dead_letter_export import export_dead_letters
from webapp.core.queries.dead_letters import (
    DeadLetterQuery,
    DeadLetterRow,
    DeadLetterState,
    count_dead_letters,
    find_dead_letter,
    list_dead_letters,
)
from webapp.core.queries.destinations import find_destination
from webapp.core.queries.paging import MOST_ROWS, PAGE_ROWS
from webapp.core.runtime import Runtime
from webapp.errors import NotFound

_ANY = "any"
_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%SZ"]


@click.group("dead-letters")
def dead_letters() -> None:
    """Events that one destination could not take. The rest flowed on past them."""


def _utc(_context: click.Context, _option: click.Parameter, value: datetime | None) -> datetime | None:
    return value and value.replace(tzinfo=UTC)


def _text(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value and not value.isprintable():
        raise click.BadParameter("has characters that cannot be printed.")
    return value


_CHOICES = (
    click.option("--user", metavar="NAME", callback=_text, help="By id, external id or e-mail address."),
    click.option(
        "--connection", "connection_id", type=click.UUID, metavar="ID", help="Only of this connection."
    ),
    click.option(
        "--destination", "destination_id", type=click.UUID, metavar="ID", help="Only of this destination."
    ),
    click.option(
        "--state",
        type=click.Choice([*[state.value for state in DeadLetterState], _ANY]),
        default=DeadLetterState.OPEN.value,
        show_default=True,
    ),
    click.option("--type", callback=_text, help="Of events of this type, exactly."),
    click.option("--search", metavar="WORDS", callback=_text, help="A part of the type or of the reason."),
    click.option(
        "--event",
        metavar="ID",
        callback=_text,
        help="The event's id: as the API answered, or as it was sent.",
    ),
    click.option(
        "--since",
        type=click.DateTime(_TIMES),
        callback=_utc,
        help="Died then (UTC) or later.",
        metavar="TIME",
    ),
    click.option(
        "--until", type=click.DateTime(_TIMES), callback=_utc, help="Died then or earlier.", metavar="TIME"
    ),
)


def _choosing(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_CHOICES):
        command = option(command)
    return command


@dead_letters.command("list")
@_choosing
@click.option("--limit", type=click.IntRange(1, MOST_ROWS), default=PAGE_ROWS, show_default=True)
def list_them(*, limit: int, **choice: Any) -> None:
    """Print the newest, a line each: when it died, its state, its id, what it is, where to and why not.

    A TIME is like 2026-01-31 or 2026-01-31T12:00. `export` has all of them, with their events.
    """
    with homes.runtime() as runtime:
        query = _query(runtime, limit=limit, **choice)
        with runtime.database.read() as session:
            page, total = list_dead_letters(session, query), count_dead_letters(session, query)
    for row in page.rows:
        click.echo(_line(row))
    click.echo(f"{len(page.rows):,} of {total:,}, the newest first" if page.next else f"{total:,} in all")


@dead_letters.command()
@_choosing
def export(**choice: Any) -> None:
    """Print all of them with their events, oldest first, one JSON object a line.

    A TIME is like 2026-01-31 or 2026-01-31T12:00.
    """
    with homes.runtime() as runtime:
        for line in export_dead_letters(runtime.database, _query(runtime, **choice)):
            click.echo(line, nl=False)


@dead_letters.command()
@click.argument("letters", metavar="[ID]...", nargs=-1, type=click.UUID)
@click.option("--destination", type=click.UUID, metavar="ID", help="All of this destination that are open.")
def replay(letters: tuple[UUID, ...], destination: UUID | None) -> None:
    """Send the dead letters of these ids again, or all open ones of a destination.

    They go out at the next turn of their destination, before anything new; of one that stands still, once
    it is released. Status 1 when one of those named is not open, or its destination has ended.
    """
    if bool(letters) == bool(destination):
        raise click.UsageError("Name dead letters by their ids, or give --destination.")
    with homes.runtime() as runtime:
        count = _replay_all(runtime, destination) if destination else _replay_each(runtime, letters)
    click.echo(f"{count:,} dead {'letter is' if count == 1 else 'letters are'} sent again.")
    if left := len(set(letters)) - count if letters else 0:
        sys.exit(f"{left:,} not: no longer open, or the destination has ended.")


def _replay_all(runtime: Runtime, destination_id: UUID) -> int:
    with runtime.database.read() as session:
        find_destination(session, None, destination_id)
    return core.replay_every(runtime, HITCHPOST, destination_id)


def _replay_each(runtime: Runtime, letter_ids: Sequence[UUID]) -> int:
    with runtime.database.write() as session:
        for letter_id in letter_ids:
            try:
                find_dead_letter(session, None, letter_id)
            except NotFound:
                raise NotFound(f"There is no dead letter {letter_id}; nothing is sent again.") from None
        return core.replay(session, HITCHPOST, letter_ids)


def _query(runtime: Runtime, *, user: str | None, state: str, **choice: Any) -> DeadLetterQuery:
    owner_id = None
    if user:
        with runtime.database.read() as session:
            found = users.find_by_any_name(session, user)
        if found is None:
            raise NotFound(f"Nobody here is called {user}, by id, external id or e-mail address.")
        owner_id = found.id
    chosen_state = None if state == _ANY else DeadLetterState(state)
    return DeadLetterQuery(owner_id=owner_id, state=chosen_state, **choice)


def _line(row: DeadLetterRow) -> str:
    place = (
        row.environment if row.account_key == row.environment else f"{row.account_key} / {row.environment}"
    )
    return (
        f"{row.created_at:%Y-%m-%d %H:%M:%S} UTC  {row.state.value}  {row.id}  {row.type} no. {row.seq:,}  "
        f"{place} ({row.kind})  {row.reason}"
    )
