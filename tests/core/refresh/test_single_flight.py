"""One refresh at a time for each credential, however many want one, and late settlers change nothing."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tests.fake_vendor import CLIENT_KEY, FakeVendor
from webapp.core import connections, credentials, refresh
from webapp.core.audit import HITCHPOST
from webapp.core.refresh import Outcome, client_breaker
from webapp.core.refresh.lease import LEASE_SECONDS
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, GrantRefused, VendorUnavailable
from webapp.models import Connection, Credential

Look = Callable[[UUID], tuple[Credential, Connection]]
Make = Callable[[str], Credential]
WORKERS = 16


def test_sixteen_workers_refresh_a_thousand_credentials_once_each(
    runtime: Runtime, vendor: FakeVendor, grants_of: Callable[..., list[Credential]]
) -> None:
    vendor.rotates = True
    grants_of(*(f"number-{number}" for number in range(1000)))
    with ThreadPoolExecutor(WORKERS) as workers:
        counts = list(workers.map(lambda _: refresh.sweep(runtime), range(WORKERS)))
    assert sum(counts) == 1000
    assert vendor.counts["refresh"] == 1000
    assert not vendor.counts["families revoked"]
    with runtime.database.read() as session:
        renewed = select(func.count()).select_from(Credential).where(Credential.generation == 2)
        assert session.scalar(renewed) == 1000


def test_many_who_want_a_fresh_token_at_once_share_one_refresh(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, age: Callable[..., None]
) -> None:
    vendor.delay = 0.3
    made = grant_of("one")
    age(made.id, 86_401)
    with ThreadPoolExecutor(WORKERS) as workers:
        found = list(
            workers.map(lambda _: refresh.fresh_access(runtime, made.connection_id).reveal(), range(WORKERS))
        )
    assert set(found) == {"access-canary-r1"}
    assert vendor.counts["refresh"] == 1


def test_whoever_settles_after_its_lease_was_taken_over_changes_nothing(
    runtime: Runtime,
    vendor: FakeVendor,
    grant_of: Make,
    look: Look,
    take_over: Callable[[UUID], Outcome | None],
) -> None:
    made = grant_of("one")
    outcomes: list[Outcome | None] = []

    def be_overtaken() -> None:
        vendor.during = lambda: None
        outcomes.append(take_over(made.id))

    vendor.during = be_overtaken
    outcomes.append(refresh.refresh_one(runtime, made.id))
    assert outcomes == [Outcome.RENEWED, Outcome.FENCED]
    credential, _ = look(made.id)
    assert credential.generation == 2
    opened = credentials.open_parts(runtime.vault, credential)
    assert opened["access_token"].reveal() == "access-canary-r2"


@pytest.mark.parametrize("fault", [None, GrantRefused("no", code="invalid_grant"), VendorUnavailable("no")])
def test_a_disconnect_during_a_refresh_stays_a_disconnect(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, fault: Exception | None
) -> None:
    made = grant_of("one")
    vendor.refresh_faults = [fault] if fault else []
    vendor.during = lambda: connections.disconnect(runtime, HITCHPOST, made.connection_id)
    assert refresh.refresh_one(runtime, made.id) is Outcome.FENCED
    credential, connection = look(made.id)
    assert (credential.sealed, credential.refresh_at) == (None, None)
    assert connection.state == "disconnected"
    assert refresh.sweep(runtime) == 0


def test_disconnects_racing_refreshes_leave_no_secret(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make
) -> None:
    made = [grant_of(f"number-{number}") for number in range(60)]
    start = threading.Barrier(2)

    def disconnect_all() -> None:
        start.wait()
        for one in made:
            connections.disconnect(runtime, HITCHPOST, one.connection_id)

    thread = threading.Thread(target=disconnect_all)
    thread.start()
    start.wait()
    while thread.is_alive():
        refresh.sweep(runtime)
    thread.join()
    refresh.sweep(runtime)
    with runtime.database.read() as session:
        left = select(func.count()).select_from(Credential).where(Credential.sealed.is_not(None))
        assert session.scalar(left) == 0


def test_a_leased_credential_is_nobody_elses(runtime: Runtime, vendor: FakeVendor, grant_of: Make) -> None:
    made = grant_of("one")
    seen: list[object] = []

    def look_around() -> None:
        vendor.during = lambda: None
        seen.extend([refresh.refresh_one(runtime, made.id), refresh.sweep(runtime)])

    vendor.during = look_around
    refresh.refresh_one(runtime, made.id)
    assert seen == [None, 0]


def test_a_holder_that_died_is_followed_by_another(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, age: Callable[..., None]
) -> None:
    made = grant_of("one")

    def die() -> None:
        raise KeyboardInterrupt

    vendor.during = die
    with pytest.raises(KeyboardInterrupt):
        refresh.sweep(runtime)
    vendor.during = lambda: None
    assert refresh.sweep(runtime) == 0, "its lease still runs"
    age(made.id, 60)
    assert refresh.sweep(runtime) == 0, (
        "its holder is called: it may only have been out of the database's reach"
    )
    age(made.id, 3)
    assert refresh.sweep(runtime) == 1


# An access token that is good now


def test_a_token_that_lives_long_enough_is_handed_out_as_it_is(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make
) -> None:
    made = grant_of("one")
    assert refresh.fresh_access(runtime, made.connection_id).reveal() == "access-canary-one"
    assert refresh.fresh_access(runtime, made.connection_id, min_ttl=20_000.0).reveal() == "access-canary-one"
    assert not vendor.counts["refresh"]


def test_a_token_about_to_end_is_renewed_first(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, age: Callable[..., None]
) -> None:
    made = grant_of("one")
    age(made.id, 86_350)
    assert refresh.fresh_access(runtime, made.connection_id).reveal() == "access-canary-r1"


def test_a_token_that_the_vendor_refused_is_renewed_though_its_clock_says_it_lives(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make
) -> None:
    made = grant_of("one")
    refused = refresh.fresh_access(runtime, made.connection_id)
    assert refresh.fresh_access(runtime, made.connection_id, refused=refused).reveal() == "access-canary-r1"


def test_a_token_that_lives_but_cannot_be_renewed_is_still_handed_out(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, age: Callable[..., None]
) -> None:
    made = grant_of("one")
    age(made.id, 86_350)
    vendor.refresh_faults = [VendorUnavailable("no answer")]
    assert refresh.fresh_access(runtime, made.connection_id).reveal() == "access-canary-one"


@pytest.mark.parametrize(
    ("fault", "error"),
    [(VendorUnavailable("no answer"), VendorUnavailable), (GrantRefused("revoked"), Conflict)],
)
def test_a_dead_token_that_cannot_be_renewed_is_not_handed_out(  # noqa: PLR0917 - fixtures, by name
    runtime: Runtime,
    vendor: FakeVendor,
    grant_of: Make,
    age: Callable[..., None],
    fault: Exception,
    error: type[Exception],
) -> None:
    made = grant_of("one")
    age(made.id, 86_401)
    vendor.refresh_faults = [fault]
    with pytest.raises(error):
        refresh.fresh_access(runtime, made.connection_id)


def test_nobody_waits_for_a_client_that_is_stopped(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, age: Callable[..., None]
) -> None:
    made = grant_of("one")
    age(made.id, 86_401)
    with runtime.database.write() as session:
        client_breaker.trip(session, CLIENT_KEY, "Unknown client", seconds=600.0)
    began = time.monotonic()
    with pytest.raises(VendorUnavailable):
        refresh.fresh_access(runtime, made.connection_id)
    assert time.monotonic() - began < LEASE_SECONDS / 2
    assert not vendor.counts["refresh"]


def test_short_lives_do_not_make_every_look_a_refresh(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, age: Callable[..., None]
) -> None:
    vendor.lifetime = 5.0
    made = grant_of("one")
    age(made.id, 86_401)
    for _ in range(3):
        assert refresh.fresh_access(runtime, made.connection_id).reveal() == "access-canary-r1"
    assert vendor.counts["refresh"] == 1


def test_a_disconnected_connection_has_no_token(runtime: Runtime, grant_of: Make) -> None:
    made = grant_of("one")
    connections.disconnect(runtime, HITCHPOST, made.connection_id)
    with pytest.raises(Conflict):
        refresh.fresh_access(runtime, made.connection_id)


def test_due_times_spread_evenly_between_half_and_two_thirds_of_the_life() -> None:
    shares = sorted(credentials.refresh_share() for _ in range(10_000))
    assert shares[0] >= 0.50
    assert shares[-1] <= 0.67
    ideal = [0.50 + 0.17 * (place + 0.5) / 10_000 for place in range(10_000)]
    assert max(abs(a - b) for a, b in zip(shares, ideal, strict=True)) / 0.17 < 0.025
