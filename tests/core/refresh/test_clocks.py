"""Clocks: this process's may be wrong by days; lives count from the receipt, on the database's clock."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from tests.core.conftest import make_tables
from tests.core.refresh.conftest import make_grant
from tests.fake_vendor import FakeHttp, FakeVendor, running_with
from webapp.core import refresh
from webapp.core.audit import HITCHPOST
from webapp.core.connections import moment_of
from webapp.core.handouts import hand_out
from webapp.core.runtime import Runtime
from webapp.lib import clock
from webapp.models import Connection, ConnectionState, Credential

Make = Callable[[str], Credential]

#: Back a day and an hour, ahead as far, and ahead by more than a year.
SHIFTS = (timedelta(hours=-25), timedelta(hours=25), timedelta(days=400))


@pytest.mark.parametrize("shift", SHIFTS, ids=str)
def test_a_host_whose_clock_is_wrong_neither_storms_nor_expires_anything(
    postgres_database: Callable[..., str], vendor: FakeVendor, shift: timedelta
) -> None:
    with running_with(vendor, FakeHttp(), postgres_database(make_tables)) as runtime:
        with runtime.database.write() as session:
            due = make_grant(session, runtime, "due")
            healthy = make_grant(session, runtime, "healthy")
            healthy.refresh_at = moment_of(session) + timedelta(hours=12)
        with time_machine.travel(clock.now() + shift):
            assert refresh.sweep(runtime) == 1
            assert refresh.sweep(runtime) == 0
            given = hand_out(runtime, HITCHPOST, healthy.connection_id)
        assert given.access_token.reveal() == "access-canary-healthy"
        assert vendor.counts["refresh"] == 1
        with runtime.database.read() as session:
            renewed = session.get_one(Credential, due.id)
            assert renewed.expires_at is not None
            life = renewed.expires_at - moment_of(session)
            assert timedelta(hours=23) < life <= timedelta(hours=24)


@pytest.mark.parametrize("shift", SHIFTS, ids=str)
def test_a_clock_that_jumps_under_sqlite_costs_one_refresh_at_most(
    tables_url: str, vendor: FakeVendor, shift: timedelta
) -> None:
    with running_with(vendor, FakeHttp(), tables_url) as runtime:
        with runtime.database.write() as session:
            made = make_grant(session, runtime, "one")
        with time_machine.travel(clock.now() + shift):
            for _ in range(10):
                refresh.sweep(runtime)
                hand_out(runtime, HITCHPOST, made.connection_id)
        assert vendor.counts["refresh"] <= 1
        assert _state(runtime) is ConnectionState.ACTIVE


def test_a_clock_that_steps_during_a_lease_lets_nobody_else_in(
    postgres_database: Callable[..., str], vendor: FakeVendor
) -> None:
    with running_with(vendor, FakeHttp(), postgres_database(make_tables)) as runtime:
        with runtime.database.write() as session:
            made = make_grant(session, runtime, "one")
        others: list[object] = []

        def step() -> None:
            with time_machine.travel(clock.now() + timedelta(hours=25)):
                others.append(refresh.refresh_one(runtime, made.id))
                others.append(refresh.sweep(runtime))

        vendor.during = step
        assert refresh.refresh_one(runtime, made.id) is refresh.Outcome.RENEWED
        assert others == [None, 0]


def test_a_ten_minute_token_that_is_read_ten_times_is_refreshed_once(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, age: Callable[..., None]
) -> None:
    vendor.lifetime = 600.0
    made = grant_of("one")
    age(made.id, 86_401)
    for _ in range(10):
        hand_out(runtime, HITCHPOST, made.connection_id, min_ttl=900.0)
    assert vendor.counts["refresh"] == 1


def _state(runtime: Runtime) -> ConnectionState:
    with runtime.database.read() as session:
        return session.scalars(select(Connection.state)).one()
