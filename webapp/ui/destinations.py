"""Destinations: where one stands, what it is set to, and how to stop it, start it or send again."""

from datetime import datetime
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from webapp.core import delivery, destinations
from webapp.core.delivery import Preview
from webapp.core.queries.attempts import AttemptOutcome, AttemptQuery, list_attempts
from webapp.core.queries.connection import require_connection
from webapp.core.queries.dead_letters import DeadLetterQuery, list_dead_letters
from webapp.core.queries.destinations import DestinationRow, find_destination
from webapp.core.queries.kinds import DestinationKind, kind_named
from webapp.core.queries.ledgers import read_books
from webapp.core.queries.pace import drained_in
from webapp.core.runtime import Bell
from webapp.errors import Fault, Invalid
from webapp.lib.times import read_utc
from webapp.ui._filters import number
from webapp.ui._forms import Form, text, with_faults
from webapp.ui._lists import after, chosen, owner_of
from webapp.ui._session import connect_page, runtime, viewer
from webapp.ui._settings_form import read_settings, settings_values, typed_form

blueprint = Blueprint("destinations", __name__, url_prefix="/destinations/<uuid:destination_id>")

_FEW = 5
_SEQ_DIGITS = 18


@blueprint.get("")
@connect_page
def show(destination_id: UUID) -> str:
    """One destination."""
    return _page(destination_id)


@blueprint.get("/part")
@connect_page
def part(destination_id: UUID) -> str:
    """What moves on the page, for htmx."""
    with runtime().database.read() as session:
        row = find_destination(session, owner_of(viewer()), destination_id)
        books = read_books(session, destination_id)
        left = drained_in(session, row)
    return render_template("destinations/_standing.html", row=row, books=books, drained_in=left)


@blueprint.post("/settings")
@connect_page
def change(destination_id: UUID) -> Response | tuple[str, int]:
    """Change what it wants and how it is written there."""
    row = _own(destination_id)
    kind = kind_named(runtime(), row.provider, row.kind)
    try:
        settings = read_settings(kind)
        with runtime().database.write() as session:
            destinations.change_settings(session, viewer().actor, destination_id, settings)
    except Invalid as error:
        return _page(destination_id, with_faults(error, *_names(kind))), 422
    runtime().wake(Bell.DELIVERY)
    return _back(destination_id, "Saved. The next request goes out with the new settings.")


@blueprint.post("/preview")
@connect_page
def preview(destination_id: UUID) -> str | tuple[str, int]:
    """The request that the typed settings would make; nothing is sent or kept."""
    row = _own(destination_id)
    kind = kind_named(runtime(), row.provider, row.kind)
    try:
        made = delivery.preview(runtime(), row.environment_id, row.kind, read_settings(kind))
    except Invalid as error:
        return _page(destination_id, with_faults(error, *_names(kind))), 422
    return _page(destination_id, typed_form(kind), made)


@blueprint.post("/hold")
@connect_page
def hold(destination_id: UUID) -> Response:
    """Stop it; events wait."""
    _own(destination_id)
    with runtime().database.write() as session:
        destinations.hold(
            session, destination_id, destinations.Hold.PAUSED, "Paused by a person.", actor=viewer().actor
        )
    return _back(destination_id, "Paused. New events wait here until you release it.")


@blueprint.post("/release")
@connect_page
def release(destination_id: UUID) -> Response:
    """Start it again, from where it stood."""
    _own(destination_id)
    with runtime().database.write() as session:
        destinations.release(session, viewer().actor, destination_id)
    runtime().wake(Bell.DELIVERY)
    return _back(destination_id, "Released. What waited is being sent now, in order.")


@blueprint.post("/rewind/count")
@connect_page
def count_rewind(destination_id: UUID) -> str | tuple[str, int]:
    """What was accepted since a time and would be sent again, before anything is."""
    _own(destination_id)
    try:
        moment = _moment(text("since"))
        with runtime().database.write() as session:
            found = destinations.measure_rewind(session, destination_id, to_time=moment)
    except Invalid as error:
        fault = Fault("since", error.faults[0].what)
        return _page(destination_id, with_faults(fault, "since")), 422
    return _page(destination_id, Form(values={"since": text("since")}), rewinding=found)


@blueprint.post("/rewind")
@connect_page
def rewind(destination_id: UUID) -> Response | tuple[str, int]:
    """Send again from an event on."""
    _own(destination_id)
    try:
        with runtime().database.write() as session:
            again = destinations.rewind(
                session, viewer().actor, destination_id, to_seq=_seq(text("from_seq"))
            )
    except Invalid as error:
        fault = Fault("since", error.faults[0].what)
        return _page(destination_id, with_faults(fault)), 422
    runtime().wake(Bell.DELIVERY)
    events = "One event is" if again == 1 else f"{number(again)} events are"
    return _back(destination_id, f"Rewound. {events} being sent again, with the same ids.")


def _names(kind: DestinationKind) -> list[str]:
    return [field.name for field in kind.settings if not field.secret]


def _moment(typed: str) -> datetime:
    try:
        return read_utc(typed)
    except ValueError:
        raise Invalid([Fault("since", "is not a date and time; write it as 2026-01-31T12:00")]) from None


def _seq(typed: str) -> int:
    if not typed.isdecimal() or len(typed) > _SEQ_DIGITS:
        raise Invalid([Fault("since", "is to be counted first")])
    return int(typed)


def _own(destination_id: UUID) -> DestinationRow:
    with runtime().database.read() as session:
        return find_destination(session, owner_of(viewer()), destination_id)


def _page(
    destination_id: UUID,
    form: Form | None = None,
    preview: Preview | None = None,
    rewinding: destinations.Range | None = None,
) -> str:
    outcome, given = chosen(AttemptOutcome, "outcome"), form or Form()
    with runtime().database.read() as session:
        row = find_destination(session, owner_of(viewer()), destination_id)
        attempts = list_attempts(
            session,
            AttemptQuery(owner_id=None, destination_id=destination_id, outcome=outcome, after=after()),
        )
        letters = list_dead_letters(
            session, DeadLetterQuery(owner_id=None, destination_id=destination_id, limit=_FEW)
        )
        books = read_books(session, destination_id)
        details = require_connection(session, None, row.connection_id).details
        left = drained_in(session, row)
    kind = kind_named(runtime(), row.provider, row.kind)
    return render_template(
        "destinations/show.html",
        row=row,
        kind=kind,
        details=details,
        form=Form(settings_values(kind, row.settings) | dict(given.values), given.faults),
        attempts=attempts,
        letters=letters.rows,
        books=books,
        outcomes=AttemptOutcome,
        outcome=outcome,
        preview=preview,
        rewinding=rewinding,
        drained_in=left,
    )


def _back(destination_id: UUID, said: str) -> Response:
    flash(said, "success")
    return redirect(url_for("destinations.show", destination_id=destination_id), 303)
