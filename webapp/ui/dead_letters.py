"""Dead letters: what a destination could not take, why, and sending it again or letting it go."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp.core import dead_letters
from webapp.core.queries.dead_letters import (
    DeadLetterQuery,
    DeadLetterRow,
    DeadLetterState,
    count_dead_letters,
    find_dead_letter,
    list_dead_letters,
)
from webapp.core.runtime import Bell
from webapp.ui._lists import after, chosen, chosen_id, owner_of, words
from webapp.ui._session import connect_page, runtime, viewer

blueprint = Blueprint("dead_letters", __name__, url_prefix="/dead-letters")


@blueprint.get("")
@connect_page
def index() -> str:
    """All that the viewer may see, by state, type, destination or connection."""
    query = DeadLetterQuery(
        owner_id=owner_of(viewer()),
        destination_id=chosen_id("destination"),
        connection_id=chosen_id("connection"),
        state=chosen(DeadLetterState, "state") if "state" in request.args else DeadLetterState.OPEN,
        type=words("type") or None,
        after=after(),
    )
    with runtime().database.read() as session:
        page = list_dead_letters(session, query)
        total = count_dead_letters(session, query)
    return render_template(
        "events/dead_letters.html", query=query, page=page, total=total, states=DeadLetterState
    )


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


def _own(letter_id: UUID) -> DeadLetterRow:
    with runtime().database.read() as session:
        return find_dead_letter(session, owner_of(viewer()), letter_id)


def _back(letter: DeadLetterRow, said: str) -> Response:
    flash(said, "success")
    return redirect(url_for("dead_letters.show", letter_id=letter.id), 303)
