"""Crowds: after an outage everything is due at once, and the vendor meets no herd."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from tests.core.grants import make_grants
from tests.fake_vendor import FakeHttp, FakeVendor, running_with
from webapp.core import refresh
from webapp.core.connections import moment_of
from webapp.core.runtime import Runtime
from webapp.errors import ClientRefused
from webapp.lib.database import db_time
from webapp.models import Breaker, Connection, ConnectionState, Credential, Notice

SWEEPERS = 8
CAP = 100


@pytest.fixture
def calls(vendor: FakeVendor) -> list[float]:
    """When each refresh arrived at the vendor (monotonic)."""
    seen: list[float] = []
    vendor.during = lambda: seen.append(time.monotonic())
    return seen


def test_all_processes_together_keep_the_pace_of_a_client(
    tables_url: str, vendor: FakeVendor, calls: list[float]
) -> None:
    crowd = 3 * CAP
    with running_with(vendor, FakeHttp(), tables_url, refreshes_per_second=CAP) as runtime:
        make_grants(runtime, crowd, due=True)
        began = time.monotonic()
        with ThreadPoolExecutor(SWEEPERS) as sweepers:
            done = sum(sweepers.map(lambda _: refresh.sweep(runtime), range(SWEEPERS)))
        seconds = time.monotonic() - began
    assert (done, len(calls)) == (crowd, crowd)
    calls.sort()
    # A slot that a sweeper was late for may fall together with those behind it: never with more than theirs.
    assert max(number_within(calls, start, 1.0) for start in calls) <= CAP + SWEEPERS
    assert seconds >= (crowd - 1) / CAP


def test_a_sweep_whose_time_is_over_begins_no_other_refresh(
    runtime: Runtime, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_grants(runtime, 3, due=True)
    clock = time.monotonic

    def slow_down() -> None:
        monkeypatch.setattr(time, "monotonic", lambda: clock() + 5.0)

    vendor.during = slow_down
    assert [refresh.sweep(runtime, seconds=5.0), refresh.sweep(runtime, seconds=5.0)] == [1, 2]


def test_what_ends_first_is_refreshed_first(
    runtime: Runtime, vendor: FakeVendor, grants_of: Callable[..., list[Credential]]
) -> None:
    made = grants_of("third", "first", "second")
    with runtime.database.write() as session:
        for minutes, one in zip((30, 10, 20), made, strict=True):
            session.execute(
                update(Credential).where(Credential.id == one.id).values(expires_at=db_time(60.0 * minutes))
            )
    refresh.sweep(runtime)
    with runtime.database.read() as session:
        order = session.scalars(
            select(Connection.label)
            .join(Credential, Credential.connection_id == Connection.id)
            .order_by(Credential.issued_at)
        ).all()
    assert order == ["first", "second", "third"]


def test_a_wrong_secret_for_an_hour_breaks_none_of_a_thousand_connections(
    runtime: Runtime, vendor: FakeVendor
) -> None:
    make_grants(runtime, 1000, due=True)
    for _ in range(12):
        vendor.refresh_faults = [ClientRefused("Unknown client", status=401)]
        refresh.sweep(runtime)
        end_waits(runtime)
    asked = vendor.counts["refresh"]
    assert asked <= 12, "one probe at a time"
    with runtime.database.read() as session:
        assert set(session.scalars(select(Connection.state))) == {ConnectionState.ACTIVE}
        assert [(one.kind, one.user_id) for one in session.scalars(select(Notice))] == [
            ("client_refused", None)
        ]
    vendor.refresh_faults = []
    assert refresh.sweep(runtime) == 1000
    with runtime.database.read() as session:
        renewed = select(func.count()).select_from(Credential).where(Credential.generation == 2)
        assert session.scalar(renewed) == 1000
        assert session.scalar(select(func.count()).select_from(Breaker)) == 0


def end_waits(runtime: Runtime) -> None:
    """Whatever waits has waited long enough."""
    with runtime.database.write() as session:
        # Just behind its beginning: tripped, and over.
        for breaker in session.scalars(select(Breaker)):
            breaker.open_until = breaker.since + timedelta(microseconds=1)
        session.execute(update(Credential).values(refresh_at=moment_of(session) - timedelta(seconds=1)))


def number_within(moments: list[float], start: float, seconds: float) -> int:
    return sum(start <= moment < start + seconds for moment in moments)
