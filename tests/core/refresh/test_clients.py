"""Our own Client is refused, or told to slow down: no connection is blamed, and one probe asks again."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, update

from tests.core.refresh.conftest import notices
from tests.fake_vendor import CLIENT_KEY, FakeVendor
from webapp.core import breakers, refresh
from webapp.core.refresh import client_breaker
from webapp.core.runtime import Runtime
from webapp.errors import (
    ClientRefused,
    VendorRateLimited,
)
from webapp.lib import clock
from webapp.models import Breaker, Connection, ConnectionState, Credential

Look = Callable[[UUID], tuple[Credential, Connection]]
Make = Callable[[str], Credential]


def test_a_refused_client_stops_all_its_refreshes_and_blames_no_connection(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look
) -> None:
    made = [grant_of(f"number-{number}") for number in range(5)]
    vendor.refresh_faults = [ClientRefused("Unknown client", status=401)] * 5
    refresh.sweep(runtime)
    assert vendor.counts["refresh"] == 1
    assert {look(one.id)[1].state for one in made} == {ConnectionState.ACTIVE}
    assert [(one.kind, one.user_id) for one in notices(runtime)] == [("client_refused", None)]
    assert refresh.refresh_one(runtime, made[0].id) is None


def open_again(runtime: Runtime) -> None:
    """The breaker's wait is over, and everything is due."""
    with runtime.database.write() as session:
        session.execute(update(Breaker).values(open_until=clock.now() - timedelta(seconds=1)))
        session.execute(update(Credential).values(refresh_at=clock.now() - timedelta(seconds=1)))


def test_one_probe_at_a_time_finds_out_whether_the_client_works_again(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look
) -> None:
    made = [grant_of(f"number-{number}") for number in range(5)]
    vendor.refresh_faults = [ClientRefused("Unknown client", status=401) for _ in range(2)]
    refresh.sweep(runtime)
    open_again(runtime)
    refresh.sweep(runtime)
    assert vendor.counts["refresh"] == 2
    with runtime.database.read() as session:
        assert session.scalars(select(Breaker)).one().failures == 2
    assert len(notices(runtime)) == 1
    open_again(runtime)
    refresh.sweep(runtime)
    assert vendor.counts["refresh"] == 7
    assert all(look(one.id)[0].generation == 2 for one in made)
    with runtime.database.read() as session:
        assert session.scalars(select(Breaker)).all() == []


def test_a_probe_under_way_lets_no_other_out(runtime: Runtime, grant_of: Make) -> None:
    grant_of("one")
    with runtime.database.write() as session:
        client_breaker.trip(session, CLIENT_KEY, "no", seconds=0.0)
    with runtime.database.write() as session:
        assert breakers.enter(session, client_breaker.SCOPE, CLIENT_KEY)
        assert not breakers.enter(session, client_breaker.SCOPE, CLIENT_KEY)


def test_429_slows_the_whole_client_for_as_long_as_it_says(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look
) -> None:
    made = [grant_of(f"number-{number}") for number in range(5)]
    vendor.refresh_faults = [VendorRateLimited("Too Many Requests", status=429, retry_after=120.0)]
    refresh.sweep(runtime)
    assert vendor.counts["refresh"] == 1
    with runtime.database.read() as session:
        breaker = session.scalars(select(Breaker)).one()
    assert timedelta(seconds=115) < breaker.open_until - clock.now() <= timedelta(seconds=120)
    limited = [look(one.id)[0] for one in made if look(one.id)[0].failures]
    assert len(limited) == 1
    assert limited[0].refresh_at is not None
    assert limited[0].refresh_at - clock.now() > timedelta(seconds=115)
    assert notices(runtime) == []
