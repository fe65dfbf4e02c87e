"""Whose an event is, is read once a second and not once a request; a change counts within that second."""

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, event, update

from tests.forwarding import Yard
from webapp.core import events
from webapp.core.events import EventForm
from webapp.errors import Invalid
from webapp.lib import clock, memory
from webapp.models import Stream, User


def send(yard: Yard, own_id: str, only_user: UUID | None = None) -> events.Accepted:
    item = {"user": "ada", "id": own_id, "type": "t"}
    return events.accept(yard.runtime, json.dumps(item).encode(), form=EventForm.NATIVE, only_user=only_user)


def test_a_user_is_looked_up_once_for_many_requests(yard: Yard) -> None:
    yard.user()
    send(yard, "first")
    asked: list[str] = []
    engine = yard.runtime.database.engine
    event.listen(engine, "before_cursor_execute", lambda _c, _k, text, *_: asked.append(text))
    for at in range(3):
        send(yard, str(at))
    assert not [text for text in asked if "FROM users" in text]


def test_a_disabled_users_events_are_refused_within_a_second(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = yard.user()
    send(yard, "before")
    yard.change(update(User).where(User.id == ada).values(disabled_at=clock.now()))
    later: Any = memory.time.monotonic() + 1.0
    monkeypatch.setattr(memory.time, "monotonic", lambda: later)
    with pytest.raises(Invalid, match="no user of this instance"):
        send(yard, "after")


def test_a_removed_users_events_are_refused_at_once(yard: Yard) -> None:
    ada = yard.user()
    send(yard, "before")
    yard.change(delete(Stream).where(Stream.user_id == ada))
    yard.change(delete(User).where(User.id == ada))
    with pytest.raises(Invalid, match="no user of this instance"):
        send(yard, "after")
