"""The vendor's list is applied as a difference, fetched by one at a time, and not believed when empty."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.fake_vendor import FakeVendor, listing
from tests.waiting import wait_for
from webapp.core import connections, credentials, destinations, environments
from webapp.core.audit import HITCHPOST
from webapp.core.environments import Diff, keys
from webapp.core.runtime import Runtime
from webapp.errors import (
    AccessRefused,
    Conflict,
    Fenced,
    VendorAnswerInvalid,
    VendorError,
    VendorRateLimited,
    VendorUnavailable,
)
from webapp.lib import clock
from webapp.models import (
    Account,
    AuditLine,
    Connection,
    ConnectionState,
    Credential,
    CredentialKind,
    Destination,
    Environment,
    EnvironmentState,
    Hold,
    UserSession,
)

Connect = Callable[..., Connection]


@pytest.fixture
def connection(ada: UserSession, connect: Connect) -> Connection:
    """Ada's, to acme/prod, acme/staging and birch/prod."""
    return connect(ada)


def states(runtime: Runtime) -> dict[str, EnvironmentState]:
    with runtime.database.read() as session:
        rows = session.execute(
            select(Account.account_key, Environment).join(Environment, Environment.account_id == Account.id)
        )
        return {f"{account_key}/{one.vendor_key}": one.state for account_key, one in rows}


def environment(runtime: Runtime, name: str) -> Environment:
    account_key, _, vendor_key = name.partition("/")
    with runtime.database.read() as session:
        return session.scalars(
            select(Environment)
            .join(Account, Account.id == Environment.account_id)
            .where(Account.account_key == account_key, Environment.vendor_key == vendor_key)
        ).one()


def key_of(runtime: Runtime, name: str) -> Credential:
    with runtime.database.read() as session:
        return session.scalars(
            select(Credential).where(Credential.environment_id == environment(runtime, name).id)
        ).one()


def plain_key(runtime: Runtime, name: str) -> str:
    return credentials.open_parts(runtime.vault, key_of(runtime, name))["ingest_key"].reveal()


def forward_to(runtime: Runtime, name: str) -> UUID:
    where = environment(runtime, name).id
    with runtime.database.write() as session:
        return destinations.create(session, HITCHPOST, where, "baselime.events", {}).id


def hold_of(runtime: Runtime, destination_id: UUID) -> Hold | None:
    with runtime.database.read() as session:
        return session.get_one(Destination, destination_id).hold


def now_of(runtime: Runtime, connection_id: UUID) -> Connection:
    with runtime.database.read() as session:
        return session.get_one(Connection, connection_id)


def make_due(runtime: Runtime, connection_id: UUID) -> None:
    with runtime.database.write() as session:
        found = session.get_one(Connection, connection_id)
        found.environments_due_at = clock.now() - timedelta(seconds=1)


def test_a_list_is_applied_as_a_difference(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    vendor.environments = [
        *listing("acme/prod"),
        *listing("acme/staging", key="rotated"),
        *listing("acme/new"),
    ]
    diff = environments.fetch(runtime, connection.id)
    assert diff == Diff(new=("acme/new",), gone=("birch/prod",), rekeyed=("acme/staging",))
    assert states(runtime) == {
        "acme/prod": EnvironmentState.PRESENT,
        "acme/staging": EnvironmentState.PRESENT,
        "acme/new": EnvironmentState.PRESENT,
        "birch/prod": EnvironmentState.MISSING,
    }
    assert plain_key(runtime, "acme/staging") == "rotated-canary-acme-staging"
    assert key_of(runtime, "acme/staging").generation == 2
    assert key_of(runtime, "acme/prod").generation == 1
    assert plain_key(runtime, "birch/prod") == "key-canary-birch-prod", "kept while it is missing"


def test_the_same_list_changes_nothing(runtime: Runtime, connection: Connection) -> None:
    before = key_of(runtime, "acme/prod")
    assert environments.fetch(runtime, connection.id) == Diff()
    assert key_of(runtime, "acme/prod").sealed == before.sealed
    with runtime.database.read() as session:
        acts = session.scalars(select(AuditLine.act)).all()
    assert "connection.environments_changed" not in acts


def test_an_environment_that_comes_back_is_present_again(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    vendor.environments = listing("acme/prod", "acme/staging")
    environments.fetch(runtime, connection.id)
    assert environment(runtime, "birch/prod").missing_since is not None
    vendor.environments = listing("acme/prod", "acme/staging", "birch/prod")
    assert environments.fetch(runtime, connection.id) == Diff(back=("birch/prod",))
    assert environment(runtime, "birch/prod").missing_since is None


def test_a_workspace_that_nobody_confirmed_stays_out(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    vendor.environments = listing("acme/prod", "acme/staging", "birch/prod", "cobalt/prod")
    assert environments.fetch(runtime, connection.id) == Diff()
    assert "cobalt/prod" not in states(runtime)


@pytest.mark.parametrize(
    "fault",
    [
        None,
        VendorUnavailable("no connection could be made", sent=False),
        VendorUnavailable("answered 500", status=500),
        VendorAnswerInvalid("the list of environments is not an array", status=200),
    ],
)
def test_an_empty_or_broken_list_deletes_nothing(
    runtime: Runtime, vendor: FakeVendor, connection: Connection, fault: Exception | None
) -> None:
    before = states(runtime)
    if fault is None:
        vendor.environments = ()
    else:
        vendor.list_faults = [fault]
    with pytest.raises(VendorError):
        environments.fetch(runtime, connection.id)
    assert states(runtime) == before
    after = now_of(runtime, connection.id)
    assert (after.environments_failures, after.environments_lease) == (1, None)
    assert after.environments_due_at is not None
    assert timedelta() < after.environments_due_at - clock.now() <= timedelta(minutes=5)
    assert after.state is ConnectionState.ACTIVE


def test_a_vendor_that_asks_for_patience_is_not_asked_before(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    vendor.list_faults = [VendorRateLimited("Too Many Requests", status=429, retry_after=1800.0)]
    with pytest.raises(VendorError):
        environments.fetch(runtime, connection.id)
    due_at = now_of(runtime, connection.id).environments_due_at
    assert due_at is not None
    assert due_at - clock.now() > timedelta(seconds=1795)


def test_three_failures_in_a_row_degrade_it_and_a_list_mends_it(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    vendor.list_faults = [VendorUnavailable("answered 500", status=500) for _ in range(3)]
    for _ in range(3):
        make_due(runtime, connection.id)
        assert environments.sweep(runtime) == 1
    assert now_of(runtime, connection.id).state is ConnectionState.DEGRADED
    with runtime.database.read() as session:
        acts = list(session.scalars(select(AuditLine.act)))
    assert acts.count("connection.environments_failed") == 1
    make_due(runtime, connection.id)
    environments.sweep(runtime)
    assert now_of(runtime, connection.id).state is ConnectionState.ACTIVE


def test_it_is_fetched_once_a_day(runtime: Runtime, vendor: FakeVendor, connection: Connection) -> None:
    assert environments.sweep(runtime) == 0
    make_due(runtime, connection.id)
    assert environments.sweep(runtime) == 1
    assert environments.sweep(runtime) == 0
    due = now_of(runtime, connection.id).environments_due_at
    assert due is not None
    assert timedelta(hours=21) < due - clock.now() < timedelta(hours=27)


def test_an_access_token_that_is_refused_is_renewed_once(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    vendor.dead_access = {"access-canary-1"}
    environments.fetch(runtime, connection.id)
    assert vendor.counts["refresh"] == 1
    vendor.list_faults = [AccessRefused("no", status=401), AccessRefused("no", status=401)]
    with pytest.raises(AccessRefused):
        environments.fetch(runtime, connection.id)
    assert vendor.counts["refresh"] == 2


def test_a_key_that_cannot_be_opened_is_mended_by_the_list(runtime: Runtime, connection: Connection) -> None:
    with runtime.database.write() as session:
        broken = session.get_one(Credential, key_of(runtime, "acme/prod").id)
        assert broken.sealed is not None
        broken.sealed = broken.sealed[:-1] + bytes([broken.sealed[-1] ^ 1])
    assert environments.fetch(runtime, connection.id).rekeyed == ("acme/prod",)
    assert plain_key(runtime, "acme/prod") == "key-canary-acme-prod"


# What it means for destinations


def test_a_destination_is_held_when_its_environment_is_gone_for_three_days_and_released_when_it_is_back(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    destination_id = forward_to(runtime, "birch/prod")
    vendor.environments = listing("acme/prod", "acme/staging")
    environments.fetch(runtime, connection.id)
    assert hold_of(runtime, destination_id) is None
    with runtime.database.write() as session:
        gone = session.get_one(Environment, environment(runtime, "birch/prod").id)
        gone.missing_since = clock.now() - timedelta(hours=73)
    environments.fetch(runtime, connection.id)
    assert hold_of(runtime, destination_id) is Hold.GONE
    vendor.environments = listing("acme/prod", "acme/staging", "birch/prod")
    environments.fetch(runtime, connection.id)
    assert hold_of(runtime, destination_id) is None


def test_a_new_key_releases_what_the_old_one_held(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    destination_id = forward_to(runtime, "acme/prod")
    with runtime.database.write() as session:
        destinations.hold(session, destination_id, Hold.KEY_REFUSED, "The key is refused.")
        connections.degrade(session, connection.id, "A key is refused.")
    environments.fetch(runtime, connection.id)
    assert hold_of(runtime, destination_id) is Hold.KEY_REFUSED
    vendor.environments = listing("acme/prod", "acme/staging", "birch/prod", key="rotated")
    environments.fetch(runtime, connection.id)
    assert hold_of(runtime, destination_id) is None
    assert now_of(runtime, connection.id).state is ConnectionState.ACTIVE


def test_a_persons_pause_is_not_released_by_a_new_key(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    destination_id = forward_to(runtime, "acme/prod")
    with runtime.database.write() as session:
        destinations.hold(session, destination_id, Hold.PAUSED, "By a person.")
    vendor.environments = listing("acme/prod", "acme/staging", "birch/prod", key="rotated")
    environments.fetch(runtime, connection.id)
    assert hold_of(runtime, destination_id) is Hold.PAUSED


# A refused ingest key


def stale(runtime: Runtime, connection_id: UUID) -> None:
    """The last list is not fresh any more."""
    with runtime.database.write() as session:
        session.get_one(Connection, connection_id).environments_fetched_at = clock.now() - timedelta(hours=1)


def test_a_refused_key_is_looked_up_once_however_many_ask(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    stale(runtime, connection.id)
    vendor.environments = listing("acme/prod", "acme/staging", "birch/prod", key="rotated")
    vendor.delay = 0.3
    before = vendor.counts["list"]
    names = ["acme/prod", "acme/staging", "birch/prod"] * 4
    ids = [environment(runtime, name).id for name in names]
    with ThreadPoolExecutor(12) as workers:
        found = list(workers.map(lambda one: environments.after_key_refused(runtime, one, 1), ids))
    assert found == [True] * 12
    assert vendor.counts["list"] == before + 1


def test_a_refused_key_without_another_one_is_final(
    runtime: Runtime, vendor: FakeVendor, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "FRESH_SECONDS", 60.0)  # however slow this machine is
    stale(runtime, connection.id)
    before = vendor.counts["list"]
    where = environment(runtime, "acme/prod").id
    assert not environments.after_key_refused(runtime, where, 1)
    assert not environments.after_key_refused(runtime, where, 1)
    assert vendor.counts["list"] == before + 1


def test_a_key_that_changed_after_the_last_list_is_found(
    runtime: Runtime, vendor: FakeVendor, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "FRESH_SECONDS", 0.01)
    where = environment(runtime, "acme/prod").id
    assert not environments.after_key_refused(runtime, where, 1)
    vendor.environments = listing("acme/prod", "acme/staging", "birch/prod", key="rotated")
    wait_for(lambda: environments.after_key_refused(runtime, where, 1))


def test_a_key_that_was_replaced_meanwhile_needs_no_list(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    before = vendor.counts["list"]
    assert environments.after_key_refused(runtime, environment(runtime, "acme/prod").id, 0)
    assert vendor.counts["list"] == before


def test_a_list_that_cannot_be_fetched_finds_no_other_key(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    stale(runtime, connection.id)
    vendor.list_faults = [VendorUnavailable("answered 500", status=500)]
    assert not environments.after_key_refused(runtime, environment(runtime, "acme/prod").id, 1)


# One holder


def test_whoever_wants_a_list_that_is_being_fetched_waits_for_it(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    vendor.delay = 0.3
    before = vendor.counts["list"]
    with ThreadPoolExecutor(8) as workers:
        diffs = list(workers.map(lambda _: environments.fetch(runtime, connection.id), range(8)))
    assert diffs == [Diff()] * 8
    assert vendor.counts["list"] < before + 8


def test_a_list_that_comes_after_the_disconnect_is_dropped(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    vendor.environments = listing("acme/prod", "acme/new")
    vendor.during = lambda: connections.disconnect(runtime, HITCHPOST, connection.id)
    with pytest.raises(Fenced):
        environments.fetch(runtime, connection.id)
    assert "acme/new" not in states(runtime)
    with runtime.database.read() as session:
        sealed = session.scalars(select(Credential).where(Credential.sealed.is_not(None))).all()
    assert sealed == []


def test_no_transaction_is_open_while_the_vendor_lists(
    runtime: Runtime, vendor: FakeVendor, connection: Connection
) -> None:
    wrote = threading.Event()

    def write() -> None:
        with runtime.database.write() as session:
            session.get_one(Connection, connection.id).details = {"probe": True}
        wrote.set()

    def from_another_thread() -> None:
        thread = threading.Thread(target=write)
        thread.start()
        thread.join(5)
        assert wrote.is_set()

    vendor.during = from_another_thread
    environments.fetch(runtime, connection.id)


def test_a_disconnected_connection_has_no_list(runtime: Runtime, connection: Connection) -> None:
    connections.disconnect(runtime, HITCHPOST, connection.id)
    with pytest.raises(Conflict):
        environments.fetch(runtime, connection.id)


def test_every_key_of_a_connection_is_sealed(runtime: Runtime, connection: Connection) -> None:
    with runtime.database.read() as session:
        found = session.scalars(select(Credential).where(Credential.kind == CredentialKind.INGEST_KEY)).all()
    assert len(found) == 3
    assert all(key.sealed is not None and b"canary" not in key.sealed for key in found)
