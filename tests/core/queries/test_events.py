"""Where is event X? Found by either of its names, and told for each destination."""

from datetime import timedelta
from typing import Any

import pytest

from tests.core.queries.conftest import Made, make, nobody, store
from webapp.core.events.drafts import key_hash
from webapp.core.queries.events import (
    find_by_identity,
    find_event,
    is_public_id,
    list_events,
    list_streams,
)
from webapp.core.queries.places import Place, Standing, places_of
from webapp.errors import NotFound
from webapp.lib import clock
from webapp.lib.database import Database
from webapp.lib.ids import uuid7
from webapp.models import Attempt, AttemptOutcome, DeadLetter, DeadLetterState, Destination, Event, Hold


def event(made: Made, seq: int, **more: Any) -> Event:
    values = {
        "stream_id": made.stream.id,
        "seq": seq,
        "key_hash": key_hash("app", f"e{seq}"),
        "digest": b"d",
        "type": "deployment",
        "source": "app",
        "time": clock.now(),
        "accepted_at": clock.now(),
        "body": b'{"id":"e%d","source":"app","type":"deployment"}' % seq,
    }
    return Event(**values | more)


def public_id(made: Made, seq: int) -> str:
    return f"{made.stream.id.hex}-{seq}"


def stored(database: Database, made: Made, *rows: Any) -> None:
    with database.write() as session:
        store(session, made)
        session.add_all([event(made, seq) for seq in range(1, made.stream.head_seq + 1)])
        session.flush()
        session.add_all(rows)


def place(database: Database, made: Made, seq: int) -> Place:
    with database.read() as session:
        (found,) = places_of(session, find_event(session, made.user.id, public_id(made, seq)))
    return found


def test_a_destination_that_ended_before_an_event_came_is_no_place_of_it(database: Database) -> None:
    made = make("ada", head=1)
    made.destination.closed_at = clock.now() - timedelta(hours=1)
    stored(database, made)
    with database.read() as session:
        assert places_of(session, find_event(session, made.user.id, public_id(made, 1))) == ()


def attempt(made: Made, first: int, last: int) -> Attempt:
    moment = clock.now()
    return Attempt(
        destination_id=made.destination.id,
        first_seq=first,
        last_seq=last,
        events=1,
        outcome=AttemptOutcome.DELIVERED,
        milliseconds=1,
        started_at=moment,
        ended_at=moment,
    )


def letter(made: Made, seq: int, state: DeadLetterState) -> DeadLetter:
    return DeadLetter(
        id=uuid7(),
        destination_id=made.destination.id,
        seq=seq,
        type="deployment",
        body=b"{}",
        reason="too odd",
        state=state,
    )


@pytest.mark.parametrize(
    ("destination", "seq", "standing"),
    [
        ({"cursor_seq": 2}, 3, Standing.WAITING),
        ({"cursor_seq": 2, "hold": Hold.PAUSED, "reason": "Paused by a person."}, 3, Standing.HELD),
        ({"cursor_seq": 2, "closed_at": clock.now() + timedelta(hours=1)}, 3, Standing.ENDED),
        ({"cursor_seq": 3}, 3, Standing.DELIVERED),
        ({"cursor_seq": 3, "origin_seq": 3}, 3, Standing.BEFORE),
        ({"cursor_seq": 3, "settings": {"types": ["alert*"]}}, 3, Standing.FILTERED),
        ({"cursor_seq": 3, "settings": {"types": ["deploy*"]}}, 3, Standing.DELIVERED),
        ({"cursor_seq": 3, "expired": 3}, 3, Standing.EXPIRED),
    ],
)
def test_what_became_of_an_event_at_a_destination(
    database: Database, destination: dict[str, Any], seq: int, standing: Standing
) -> None:
    made = make("ada", head=4)
    for name, value in destination.items():
        setattr(made.destination, name, value)
    stored(database, made)
    found = place(database, made, seq)
    assert found.standing is standing
    assert (found.reason is not None) == (standing is Standing.HELD)


@pytest.mark.parametrize(
    ("state", "standing"),
    [
        (DeadLetterState.OPEN, Standing.DEAD),
        (DeadLetterState.DISCARDED, Standing.DEAD),
        (DeadLetterState.QUEUED, Standing.WAITING),
        (DeadLetterState.REPLAYED, Standing.DELIVERED),
        (DeadLetterState.SUPERSEDED, Standing.DELIVERED),
    ],
)
def test_a_dead_letter_tells_more_than_the_cursor(
    database: Database, state: DeadLetterState, standing: Standing
) -> None:
    made = make("ada", head=4, cursor=4)
    dead = letter(made, 3, state)
    stored(database, made, dead)
    found = place(database, made, 3)
    assert found.standing is standing
    assert found.letter_id == dead.id
    assert found.reason == ("too odd" if standing is Standing.DEAD else None)


def test_a_delivered_event_says_when_if_its_attempt_is_kept(database: Database) -> None:
    made = make("ada", head=4, cursor=4)
    stored(database, made, attempt(made, 2, 3))
    assert place(database, made, 3).at is not None
    assert place(database, made, 4).at is None


def test_every_destination_of_the_stream_is_told(database: Database) -> None:
    made, other = make("ada", head=2, cursor=2), make("bob")
    stored(database, made)
    with database.write() as session:
        store(session, other)
        session.get_one(Destination, other.destination.id).stream_id = made.stream.id
    with database.read() as session:
        found = places_of(session, find_event(session, None, public_id(made, 1)))
    assert {one.account_key for one in found} == {"ada-workspace", "bob-workspace"}


def test_an_event_is_found_by_what_the_app_calls_it(database: Database) -> None:
    made = make("ada", head=3)
    stored(database, made)
    with database.read() as session:
        assert find_by_identity(session, made.user.id, "app", "e2") == public_id(made, 2)
        assert find_by_identity(session, made.user.id, "other", "e2") is None
        assert find_by_identity(session, nobody(), "app", "e2") is None
        found = find_event(session, None, public_id(made, 2))
    assert (found.own_id, found.owner) == ("e2", "ada@example.com")
    assert found.body is not None
    assert '"id": "e2"' in found.body


@pytest.mark.parametrize("reference", ["", "e1", "x-1", "0" * 32 + "-0", "0" * 32 + "-1", "0" * 31 + "-1"])
def test_what_is_no_event_is_not_found(database: Database, reference: str) -> None:
    with database.read() as session, pytest.raises(NotFound):
        find_event(session, None, reference)


def test_somebody_elses_event_is_not_there(database: Database) -> None:
    made = make("ada", head=1)
    stored(database, made)
    assert is_public_id(public_id(made, 1))
    with database.read() as session, pytest.raises(NotFound):
        find_event(session, nobody(), public_id(made, 1))


def test_a_list_of_events_pages_newest_first_and_reads_odd_ids(database: Database) -> None:
    made = make("ada", head=5)
    stored(database, made)
    with database.write() as session:
        odd = session.get_one(Event, (made.stream.id, 5))
        odd.body = rb'{"id":"a\"b\u00e9\\","type":"x"}'
    with database.read() as session:
        first = list_events(session, made.user.id, limit=3)
        rest = list_events(session, made.user.id, after=first.next)
        assert [row.seq for row in (*first.rows, *rest.rows)] == [5, 4, 3, 2, 1]
        assert first.rows[0].own_id == 'a"bé\\'
        assert [row.accepted for row in list_streams(session, search="ADA")] == [5]
        assert list_streams(session, search="nobody") == ()
