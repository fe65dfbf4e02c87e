"""Keys: one that is refused is fetched again once; without another the destination stands still."""

from uuid import UUID

import pytest
from sqlalchemy import select

from tests.forwarding import SINGLE, Yard, status
from webapp.core import credentials
from webapp.models import (
    AttemptOutcome,
    ConnectionState,
    Hold,
    Notice,
)

D = AttemptOutcome.DELIVERED


def test_a_refused_key_is_fetched_again_once_and_another_one_is_used_at_once(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def find(_runtime: object, _environment: UUID, generation: int) -> bool:
        asked.append(generation)
        yard.rekey("key-2")
        return True

    monkeypatch.setattr("webapp.core.environments.after_key_refused", find)
    destination_id = yard.destination()
    yard.inbox.say = [status(401, b'{"message": "Unauthorised"}')]
    yard.accept("a")
    yard.drain()
    assert asked == [1]
    assert [(key, event["id"]) for key, event in yard.inbox.taken] == [("key-2", "a")]
    assert [outcome for outcome, _, _ in yard.outcomes(destination_id)] == [AttemptOutcome.KEY_REFUSED, D]


@pytest.mark.parametrize(
    ("code", "kind"), [(401, "baselime.events"), (403, "baselime.events"), (401, SINGLE.name)]
)
def test_a_refused_key_without_another_holds_the_destination_and_degrades_the_connection(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, code: int, kind: str
) -> None:
    monkeypatch.setattr("webapp.core.environments.after_key_refused", lambda *_: False)
    destination_id = yard.destination(kind)
    yard.inbox.always = status(code, b'{"message": "Unauthorised"}')
    yard.accept("a")
    yard.drain(hastened=2)
    row = yard.row(destination_id)
    assert (row.hold, row.due_at, row.lease_token, row.cursor_seq) == (Hold.KEY_REFUSED, None, None, 0)
    assert len(yard.inbox.requests) == 1
    assert yard.connection(destination_id).state is ConnectionState.DEGRADED
    with yard.runtime.database.read() as session:
        assert "Unauthorised" in session.scalars(select(Notice.text)).one()


def test_a_second_refusal_in_a_turn_asks_for_no_third_key(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        "webapp.core.environments.after_key_refused",
        lambda _r, _e, generation: asked.append(generation) is None,
    )
    destination_id = yard.destination()
    yard.inbox.always = status(401)
    yard.accept("a")
    yard.drain()
    assert len(asked) == 1
    assert yard.row(destination_id).hold is Hold.KEY_REFUSED


def test_a_destination_without_a_key_stands_still_and_says_so(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a")
    with yard.runtime.database.write() as session:
        credentials.wipe(session, yard.connection(destination_id).id)
    yard.drain()
    row = yard.row(destination_id)
    assert row.hold is Hold.KEY_REFUSED
    assert row.reason == "there is no key to send with"
