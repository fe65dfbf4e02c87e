"""API keys: shown once, compared by digest, revoked at once."""

import re
import time
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import event, select

from webapp.core import api_keys, users
from webapp.core.api_keys import Scope
from webapp.core.audit import Actor
from webapp.core.runtime import Runtime
from webapp.errors import Forbidden, Invalid, NotFound
from webapp.lib import clock
from webapp.lib.secret import Secret
from webapp.models import ApiKey

from .conftest import Cast

ACTOR = Actor("hitchpost")


def _make(runtime: Runtime, *scopes: Scope, **options: object) -> tuple[ApiKey, Secret]:
    with runtime.database.write() as session:
        return api_keys.create(session, ACTOR, "ci", scopes or (Scope.EVENTS_WRITE,), **options)  # type: ignore[arg-type]  # told by each test


def test_a_key_is_scannable_and_kept_as_a_digest_only(runtime: Runtime) -> None:
    key, text = _make(runtime)
    assert re.fullmatch(r"hp_[a-z0-9]{8}_[A-Za-z0-9_-]{43}", text.reveal())
    with runtime.database.read() as session:
        row = session.execute(select(ApiKey)).scalar_one()
    kept = repr(vars(row))
    assert "secret_hash" in kept
    assert text.reveal().removeprefix(f"hp_{key.prefix}_") not in kept


def test_a_key_does_what_its_scopes_say(runtime: Runtime) -> None:
    key, text = _make(runtime, Scope.EVENTS_WRITE, Scope.EVENTS_READ)
    assert api_keys.scopes_of(key) == {Scope.EVENTS_WRITE, Scope.EVENTS_READ}
    for ask in (_check, api_keys.admit):
        found = ask(runtime, text.reveal(), Scope.EVENTS_READ)
        assert found.id == key.id
        assert str(key.secret_hash) not in repr(found)
        with pytest.raises(Forbidden):
            ask(runtime, text.reveal(), Scope.CREDENTIALS_READ)


def test_what_is_not_the_key_is_refused_alike(runtime: Runtime) -> None:
    _, text = _make(runtime)
    right = text.reveal()
    changed = right[:-1] + ("A" if right[-1] != "A" else "B")
    for wrong in (
        changed,
        right[:-1],
        right + "x",
        right.upper(),
        "",
        "hp_",
        "hp__",
        "hp_12345678_",
        "é" + right,
    ):
        for ask in (_check, api_keys.admit):
            with pytest.raises(NotFound):
                ask(runtime, wrong, Scope.EVENTS_WRITE)


def test_a_revoked_key_is_refused_within_a_second_even_where_it_is_remembered(runtime: Runtime) -> None:
    key, text = _make(runtime)
    api_keys.admit(runtime, text.reveal(), Scope.EVENTS_WRITE)
    with runtime.database.write() as session:
        api_keys.revoke(session, ACTOR, key.id)
    revoked = time.monotonic()
    with pytest.raises(NotFound):
        _check(runtime, text.reveal(), Scope.EVENTS_WRITE)
    while time.monotonic() < revoked + 1.0:
        time.sleep(0.02)  # the promised second itself
    with pytest.raises(NotFound):
        api_keys.admit(runtime, text.reveal(), Scope.EVENTS_WRITE)


def test_a_remembered_key_asks_the_database_nothing(runtime: Runtime) -> None:
    _, text = _make(runtime)
    api_keys.admit(runtime, text.reveal(), Scope.EVENTS_WRITE)
    asked: list[str] = []
    event.listen(runtime.database.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    for _ in range(20):
        api_keys.admit(runtime, text.reveal(), Scope.EVENTS_WRITE)
    assert asked == []


def test_a_key_ends_when_it_says(runtime: Runtime) -> None:
    _, text = _make(runtime, expires_at=clock.now() + timedelta(days=30))
    with time_machine.travel(clock.now() + timedelta(days=29), tick=False):
        _check(runtime, text.reveal(), Scope.EVENTS_WRITE)
    with time_machine.travel(clock.now() + timedelta(days=31), tick=False), pytest.raises(NotFound):
        _check(runtime, text.reveal(), Scope.EVENTS_WRITE)


def test_the_key_of_a_disabled_user_is_refused(runtime: Runtime, cast: Cast) -> None:
    key, text = _make(runtime, user_id=cast.bob.id)
    assert _check(runtime, text.reveal(), Scope.EVENTS_WRITE).user_id == cast.bob.id == key.user_id
    with runtime.database.write() as session:
        users.disable(session, ACTOR, cast.bob.id)
    with pytest.raises(NotFound):
        _check(runtime, text.reveal(), Scope.EVENTS_WRITE)


def test_use_is_noted_at_most_once_a_minute(runtime: Runtime) -> None:
    key, text = _make(runtime)

    def used_at() -> object:
        with runtime.database.read() as session:
            return session.get_one(ApiKey, key.id).last_used_at

    assert used_at() is None
    api_keys.admit(runtime, text.reveal(), Scope.EVENTS_WRITE)
    first = used_at()
    assert first is not None
    api_keys._memories.clear()
    api_keys.admit(runtime, text.reveal(), Scope.EVENTS_WRITE)
    assert used_at() == first
    with time_machine.travel(clock.now() + timedelta(seconds=61), tick=False):
        api_keys._memories.clear()
        api_keys.admit(runtime, text.reveal(), Scope.EVENTS_WRITE)
    assert used_at() != first


def test_a_key_is_asked_for_with_every_fault_named(runtime: Runtime) -> None:
    with pytest.raises(Invalid) as caught, runtime.database.write() as session:
        api_keys.create(session, ACTOR, " ", (), expires_at=clock.now() - timedelta(days=1))
    assert [fault.where for fault in caught.value.faults] == ["name", "scopes", "expires_at"]


def _check(runtime: Runtime, presented: str, scope: Scope) -> ApiKey:
    with runtime.database.read() as session:
        return api_keys.check(session, presented, scope)
