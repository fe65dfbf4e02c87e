"""Sessions: opened, found, renewed, ended."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from webapp.core import sessions
from webapp.core.runtime import Runtime
from webapp.errors import NotFound
from webapp.lib import clock
from webapp.lib.secret import Secret
from webapp.models import SessionKind, User, UserSession

from .conftest import Cast


def _open(runtime: Runtime, cast: Cast, kind: SessionKind = SessionKind.LOGIN) -> Secret:
    with runtime.database.write() as session:
        return sessions.open(session, cast.bob.id, kind)


def _find(runtime: Runtime, cookie: Secret) -> UserSession | None:
    with runtime.database.read() as session:
        return sessions.find(session, cookie)


def test_the_row_holds_no_cookie(runtime: Runtime, cast: Cast) -> None:
    cookie = _open(runtime, cast)
    assert len(cookie.reveal()) == 43  # 256 bits
    with runtime.database.read() as session:
        row = session.execute(select(UserSession)).scalar_one()
    kept = repr(vars(row))
    assert "id_hash" in kept
    assert cookie.reveal() not in kept


def test_only_its_own_cookie_finds_a_session(runtime: Runtime, cast: Cast) -> None:
    cookie = _open(runtime, cast)
    found = _find(runtime, cookie)
    assert found is not None
    assert found.user_id == cast.bob.id
    assert _find(runtime, Secret(cookie.reveal()[:-1])) is None
    assert _find(runtime, Secret("")) is None


@pytest.mark.parametrize(
    ("kind", "lifetime"),
    [(SessionKind.LOGIN, timedelta(hours=12)), (SessionKind.CONNECT, timedelta(hours=1))],
)
def test_a_session_ends_however_busy_it_is(
    runtime: Runtime, cast: Cast, kind: SessionKind, lifetime: timedelta
) -> None:
    cookie = _open(runtime, cast, kind)
    start = clock.now()
    step = timedelta(minutes=20)
    for at in range(step.seconds, int(lifetime.total_seconds()), step.seconds):
        with time_machine.travel(start + timedelta(seconds=at), tick=False):
            row = _find(runtime, cookie)
            assert row is not None, f"gone after {at} s"
            with runtime.database.write() as session:
                sessions.seen(session, row.id)
    with time_machine.travel(start + lifetime + timedelta(seconds=1), tick=False):
        assert _find(runtime, cookie) is None


def test_an_idle_session_ends_after_half_an_hour(runtime: Runtime, cast: Cast) -> None:
    cookie = _open(runtime, cast)
    with time_machine.travel(clock.now() + timedelta(minutes=29), tick=False):
        assert _find(runtime, cookie) is not None
    with time_machine.travel(clock.now() + timedelta(minutes=31), tick=False):
        assert _find(runtime, cookie) is None


def test_a_session_of_somebody_disabled_is_not_found_even_if_it_was_left_open(
    runtime: Runtime, cast: Cast
) -> None:
    cookie = _open(runtime, cast)
    with runtime.database.write() as session:
        session.get_one(User, cast.bob.id).disabled_at = clock.now()
    assert _find(runtime, cookie) is None


def test_a_fresh_proof_gives_the_same_session_a_new_cookie_and_kills_the_old(
    runtime: Runtime, cast: Cast
) -> None:
    old = _open(runtime, cast)
    before = _find(runtime, old)
    assert before is not None
    with time_machine.travel(clock.now() + timedelta(minutes=20), tick=False):
        assert not sessions.is_recent(before, minutes=5)
        with runtime.database.write() as session:
            new = sessions.reauthenticate(session, before.id)
        assert _find(runtime, old) is None
        after = _find(runtime, new)
        assert after is not None
        assert after.id == before.id
        assert sessions.is_recent(after, minutes=5)


def test_a_closed_session_cannot_be_renewed(runtime: Runtime, cast: Cast) -> None:
    cookie = _open(runtime, cast)
    row = _find(runtime, cookie)
    assert row is not None
    with runtime.database.write() as session:
        sessions.close(session, row.id)
    assert _find(runtime, cookie) is None
    with pytest.raises(NotFound), runtime.database.write() as session:
        sessions.reauthenticate(session, row.id)


def test_ended_sessions_are_forgotten_and_live_ones_kept(runtime: Runtime, cast: Cast) -> None:
    _open(runtime, cast)
    with time_machine.travel(clock.now() + timedelta(hours=2), tick=False):
        live = _open(runtime, cast)
        with runtime.database.write() as session:
            assert sessions.forget_ended(session) == 1
        assert _find(runtime, live) is not None
