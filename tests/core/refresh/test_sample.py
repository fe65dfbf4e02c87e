"""A sample refresh before a change goes out: a good one is kept, a bad one harms nobody."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tests.fake_vendor import CLIENT_KEY, FakeVendor
from webapp.core import refresh
from webapp.core.connections import moment_of
from webapp.core.refresh import client_breaker
from webapp.core.refresh.sample import Sample
from webapp.core.runtime import Runtime
from webapp.errors import ClientRefused, GrantRefused, VendorError, VendorRateLimited, VendorUnavailable
from webapp.lib.secret import Secret
from webapp.models import AuditLine, Breaker, Connection, ConnectionState, Credential, Notice

Look = Callable[[UUID], tuple[Credential, Connection]]


@pytest.fixture
def healthy(runtime: Runtime, grant_of: Callable[[str], Credential]) -> Credential:
    """A connection whose grant is not due for long."""
    made = grant_of("healthy")
    with runtime.database.write() as session:
        row = session.get_one(Credential, made.id)
        row.refresh_at = made.expires_at
    return row


def test_a_sample_that_works_is_kept(
    runtime: Runtime, vendor: FakeVendor, healthy: Credential, look: Look
) -> None:
    samples = list(refresh.refresh_samples(runtime))
    assert [(one.client_key, one.label, one.fault) for one in samples] == [(CLIENT_KEY, "healthy", None)]
    assert vendor.counts["refresh"] == 1
    assert look(healthy.id)[0].generation == healthy.generation + 1


@pytest.mark.parametrize(
    "fault",
    [
        ClientRefused("wrong secret", status=401),
        GrantRefused("no", status=400),
        VendorUnavailable("down"),
        VendorRateLimited("slowly", retry_after=60.0),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_a_sample_that_fails_leaves_everything_as_it_was(
    runtime: Runtime, vendor: FakeVendor, healthy: Credential, look: Look, fault: VendorError
) -> None:
    vendor.refresh_faults = [fault]
    samples = list(refresh.refresh_samples(runtime))
    assert [one.fault for one in samples] == [str(fault)]
    after, connection = look(healthy.id)
    for name in ("sealed", "generation", "refresh_at", "lease", "failures", "refused_at", "words"):
        assert getattr(after, name) == getattr(healthy, name), name
    assert connection.state is ConnectionState.ACTIVE
    with runtime.database.read() as session:
        for table in (Breaker, Notice, AuditLine):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_one_of_each_client_is_taken_and_only_a_healthy_one(
    runtime: Runtime, vendor: FakeVendor, grant_of: Callable[[str], Credential]
) -> None:
    for name in ("due", "failing", "paused"):
        made = grant_of(name)
        with runtime.database.write() as session:
            row = session.get_one(Credential, made.id)
            if name != "due":
                row.refresh_at = made.expires_at
            row.failures = int(name == "failing")
            if name == "paused":
                session.get_one(Connection, made.connection_id).state = ConnectionState.PAUSED
    (nothing,) = refresh.refresh_samples(runtime)
    assert nothing.fault == "none of its connections is well and idle, so nothing is known"
    assert not vendor.counts["refresh"]
    for name in ("one", "two"):
        made = grant_of(name)
        with runtime.database.write() as session:
            session.get_one(Credential, made.id).refresh_at = made.expires_at
    assert len(list(refresh.refresh_samples(runtime))) == 1
    assert vendor.counts["refresh"] == 1


def test_a_sample_leaves_alone_what_is_being_refreshed(
    runtime: Runtime, vendor: FakeVendor, healthy: Credential
) -> None:
    seen: list[Sample] = []
    vendor.during = lambda: seen.extend(refresh.refresh_samples(runtime))
    refresh.refresh_one(runtime, healthy.id)
    assert [one.label for one in seen] == [""], "there was none to try"
    assert vendor.counts["refresh"] == 1
    with runtime.database.read() as session:
        assert session.get_one(Credential, healthy.id).issued_at <= moment_of(session)


def test_a_client_that_is_stopped_is_tried_all_the_same_and_works_again_when_it_does(
    runtime: Runtime, vendor: FakeVendor, healthy: Credential
) -> None:
    with runtime.database.write() as session:
        client_breaker.trip(session, CLIENT_KEY, "wrong secret", seconds=600.0)
    assert refresh.refresh_one(runtime, healthy.id) is None
    assert [one.fault for one in refresh.refresh_samples(runtime)] == [None]
    with runtime.database.read() as session:
        assert not client_breaker.is_stopped(session, CLIENT_KEY)


def test_a_sample_that_only_the_previous_secret_could_refresh_is_a_fault(
    runtime: Runtime, vendor: FakeVendor, healthy: Credential
) -> None:
    fallen_back = replace(vendor.client(), client_secret=Secret("previous-canary"))
    vendor.during = lambda: setattr(vendor, "client", lambda: fallen_back)
    (sample,) = refresh.refresh_samples(runtime)
    assert sample.fault == "only the previous client secret works: the new one is refused"
