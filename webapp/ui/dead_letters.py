"""Dead letters: what a destination could not take, why, and sending it again or letting it go."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp.core import dead_letters
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
from webapp.core.runtime import Bell
from webapp.ui._lists import after, chosen, chosen_id, chosen_moment, owner_of, words
from webapp.ui._session import connect_page, runtime, viewer

blueprint = Blueprint("dead_letters", __name__, url_prefix="/dead-letters")


@blueprint.get("")
@connect_page
def index() -> str:
    """All that the viewer may see, by state, type, event, time, destination or connection."""
    query = _asked()
    with runtime().database.read() as session:
        page = list_dead_letters(session, query)
        total = count_dead_letters(session, query)
    return render_template(
        "events/dead_letters.html", query=query, page=page, total=total, states=DeadLetterState
    )


@blueprint.get("/export")
@connect_page
def export() -> Response:
    """All of them as a file with their events, one JSON object a line."""
    lines = export_dead_letters(runtime().database, _asked())
    answer = Response(lines, content_type="application/x-ndjson; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="dead-letters.ndjson"'
    return answer


@blueprint.post("/of/<uuid:destination_id>/replay")
@connect_page
def replay_all(destination_id: UUID) -> Response:
    """Send all open ones of a destination again."""
    with runtime().database.read() as session:
        find_destination(session, owner_of(viewer()), destination_id)
    count = dead_letters.replay_every(runtime(), viewer().actor, destination_id)
    flash(f"{count:,} dead letters are sent again, before anything new.", "success")
    return redirect(url_for("destinations.show", destination_id=destination_id), 303)


@blueprint.get("/<uuid:letter_id>")
@connect_page
def show(letter_id: UUID) -> str:
    """One, with the event as it was to be sent."""
    with runtime().database.read() as session:
        letter = find_dead_letter(session, owner_of(viewer()), letter_id)
    return render_template("events/dead_letter.html", letter=letter)


@blueprint.post("/<uuid:letter_id>/replay")
@connect_page
def replay(letter_id: UUID) -> Response:
    """Send it again at the destination's next turn."""
    letter = _own(letter_id)
    with runtime().database.write() as session:
        dead_letters.replay(session, viewer().actor, [letter.id])
    runtime().wake(Bell.DELIVERY)
    return _back(letter, "It is sent again at this destination's next turn.")


@blueprint.post("/<uuid:letter_id>/discard")
@connect_page
def discard(letter_id: UUID) -> Response:
    """Let it go; its line stays."""
    letter = _own(letter_id)
    with runtime().database.write() as session:
        dead_letters.discard(session, viewer().actor, [letter.id])
    return _back(letter, "Discarded. It will not be sent to this destination.")


def _asked() -> DeadLetterQuery:
    return DeadLetterQuery(
        owner_id=owner_of(viewer()),
        destination_id=chosen_id("destination"),
        connection_id=chosen_id("connection"),
        state=chosen(DeadLetterState, "state") if "state" in request.args else DeadLetterState.OPEN,
        type=words("type") or None,
        search=words("search") or None,
        event=words("event", 512) or None,
        since=chosen_moment("since"),
        until=chosen_moment("until"),
        after=after(),
    )


def _own(letter_id: UUID) -> DeadLetterRow:
    with runtime().database.read() as session:
        return find_dead_letter(session, owner_of(viewer()), letter_id)


def _back(letter: DeadLetterRow, said: str) -> Response:
    flash(said, "success")
    return redirect(url_for("dead_letters.show", letter_id=letter.id), 303)
