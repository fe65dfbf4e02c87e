"""The vault's key changes while everything goes on: nothing is lost, nothing is unreadable, nothing stays."""

import signal
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from tests.core.grants import make_grants
from tests.fake_vendor import FakeVendor
from tests.faults.rotation import rotate_and_die
from webapp.core import audit_chain, credentials, refresh, rotation
from webapp.core.audit import HITCHPOST, Act, record
from webapp.core.handouts import hand_out
from webapp.core.installs import Received
from webapp.core.runtime import Runtime
from webapp.lib.secret import Secret
from webapp.lib.vault import key_id_of, new_key, parse_keys
from webapp.models import AuditHead, AuditLine, Base, Credential, Install, UserSession


@pytest.fixture
def old_key(runtime: Runtime) -> str:
    return runtime.settings.vault_keys.get_secret_value()


@pytest.fixture
def added_key() -> str:
    return new_key()


@pytest.fixture
def new_ring(runtime: Runtime, old_key: str, added_key: str) -> Runtime:
    """The same instance once a new key stands in front of the old one."""
    return replace(runtime, vault=parse_keys(f"{added_key},{old_key}"))


@pytest.fixture
def alone(runtime: Runtime, added_key: str) -> Runtime:
    """The same instance once the old key is gone."""
    return replace(runtime, vault=parse_keys(added_key))


@pytest.fixture
def something_of_each(
    runtime: Runtime, ada: UserSession, come_back: Callable[..., Received]
) -> list[Credential]:
    """One install that waits, the audit's chain, and some grants, all under the old key."""
    come_back("code-canary-0001", ada)
    with runtime.database.write() as session:
        record(session, HITCHPOST, Act.REFRESHED, "connection:1")
    audit_chain.seal(runtime)
    return make_grants(runtime, 250)


def key_ids(runtime: Runtime) -> set[str]:
    with runtime.database.read() as session:
        columns = (Credential.sealed, Install.sealed, AuditHead.sealed)
        held = [sealed for column in columns for sealed in session.scalars(select(column))]
    return {key_id_of(sealed) for sealed in held if sealed is not None}


def test_everything_sealed_moves_under_the_new_key_and_opens_with_it_alone(
    new_ring: Runtime, alone: Runtime, something_of_each: list[Credential]
) -> None:
    heard: list[int] = []
    rotated = rotation.rotate(new_ring, heard.append)
    assert (rotated.count, rotated.faults) == (sum(heard), ())
    assert rotated.count == len(something_of_each) + 2
    assert max(heard) <= 100
    assert key_ids(new_ring) == {new_ring.vault.active}
    with alone.database.read() as session:
        for grant in session.scalars(select(Credential)):
            assert (
                credentials.open_parts(alone.vault, grant)["access_token"]
                .reveal()
                .startswith("access-canary")
            )
            assert grant.key_id == new_ring.vault.active
        for install in session.scalars(select(Install).where(Install.sealed.is_not(None))):
            assert credentials.open_for_install(alone.vault, install)
    assert audit_chain.verify(alone).fault is None


def test_a_rotation_changes_no_generation_and_no_schedule(runtime: Runtime, new_ring: Runtime) -> None:
    made = make_grants(runtime, 3)
    rotation.rotate(new_ring)
    with runtime.database.read() as session:
        for before in made:
            after = session.get_one(Credential, before.id)
            assert after.sealed != before.sealed
            for name in ("generation", "issued_at", "expires_at", "refresh_at", "lease", "fingerprint"):
                assert getattr(after, name) == getattr(before, name)


def test_a_second_rotation_finds_nothing_to_do(
    new_ring: Runtime, something_of_each: list[Credential]
) -> None:
    rotation.rotate(new_ring)
    assert rotation.rotate(new_ring) == rotation.Rotated(count=0, faults=())


def test_nothing_is_unreadable_while_a_rotation_refreshes_and_hand_outs_go_on_together(  # noqa: PLR0917 - fixtures, by name
    runtime: Runtime,
    new_ring: Runtime,
    alone: Runtime,
    old_key: str,
    added_key: str,
    vendor: FakeVendor,
) -> None:
    vendor.rotates = True
    made = make_grants(runtime, 120, due=True)
    mid_rollout = replace(runtime, vault=parse_keys(f"{old_key},{added_key}"))
    faults: list[BaseException] = []
    over = threading.Event()

    def keep(work: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            try:
                while not over.is_set():
                    work()
            except BaseException as fault:  # noqa: BLE001 - it fails the test in its own thread
                faults.append(fault)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    readers = iter(made * 10_000)
    threads = [
        keep(lambda: refresh.sweep(new_ring, limit=5)),
        keep(lambda: refresh.sweep(mid_rollout, limit=5)),
        keep(lambda: hand_out(new_ring, HITCHPOST, next(readers).connection_id)),
    ]
    rotated = rotation.rotate(new_ring)
    while refresh.sweep(new_ring):
        pass
    over.set()
    for thread in threads:
        thread.join()
    assert (faults, rotated.faults) == ([], ())
    assert vendor.counts["refresh"] == len(made)
    assert not vendor.counts["families revoked"]
    rotation.rotate(new_ring)  # what the process with the old key in front sealed since
    with alone.database.read() as session:
        for grant in session.scalars(select(Credential)):
            assert (
                credentials.open_parts(alone.vault, grant)["access_token"]
                .reveal()
                .startswith("access-canary-r")
            )
            assert grant.key_id == new_ring.vault.active


def test_a_rotation_killed_in_the_middle_of_a_batch_is_simply_started_again(
    runtime: Runtime, new_ring: Runtime, old_key: str, added_key: str
) -> None:
    make_grants(runtime, 350)
    ring = f"{added_key},{old_key}"
    url = runtime.settings.database_url.get_secret_value()
    assert rotate_and_die(url, ring, at=250) == -signal.SIGKILL
    left = rotation.left(new_ring)
    assert left == 150, "two whole batches landed, the third did not"
    with runtime.database.read() as session:
        for grant in session.scalars(select(Credential)):
            assert credentials.open_parts(new_ring.vault, grant)
    assert rotation.rotate(new_ring).count == left
    assert rotation.left(new_ring) == 0
    with runtime.database.read() as session:
        said = session.scalars(select(AuditLine.detail).where(AuditLine.act == Act.KEYS_ROTATED)).all()
    assert said == ["100 credentials sealed again"] * 3 + ["50 credentials sealed again"]


def test_every_table_with_something_sealed_is_rotated() -> None:
    sealed = {table.name for table in Base.metadata.tables.values() if "sealed" in table.columns}
    assert {table.__tablename__ for table in rotation.TABLES} == sealed


@pytest.mark.parametrize("tables_url", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_a_row_that_somebody_holds_is_left_for_the_next_pass(new_ring: Runtime, runtime: Runtime) -> None:
    made = make_grants(runtime, 3)
    moved: list[int] = []
    first = threading.Event()

    def hear(count: int) -> None:
        moved.append(count)
        first.set()

    with runtime.database.write() as session:
        session.get_one(Credential, made[1].id, with_for_update=True)
        thread = threading.Thread(target=rotation.rotate, args=(new_ring, hear))
        thread.start()
        assert first.wait(10)
    thread.join()
    assert moved == [2, 1]


@pytest.mark.parametrize("tables_url", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_a_process_that_still_seals_with_the_old_key_says_so_in_its_row(
    runtime: Runtime, new_ring: Runtime
) -> None:
    (made,) = make_grants(runtime, 1)
    with runtime.database.write() as session:
        row = session.get_one(Credential, made.id)
        rotation.rotate(new_ring)
        credentials.replace(session, runtime.vault, row, {"access_token": Secret("access-canary-late")})
    with runtime.database.read() as session:
        late = session.get_one(Credential, made.id)
    assert late.sealed is not None
    assert late.key_id == key_id_of(late.sealed) == runtime.vault.active
    assert rotation.rotate(new_ring).count == 1


def test_what_cannot_be_opened_is_named_and_left_as_it_was(runtime: Runtime, new_ring: Runtime) -> None:
    made = make_grants(runtime, 3)
    broken = bytes(made[1].sealed or b"")[:-1] + b"\0\0"
    with runtime.database.write() as session:
        session.execute(update(Credential).where(Credential.id == made[1].id).values(sealed=broken))
    rotated = rotation.rotate(new_ring)
    assert rotated.count == 2
    assert len(rotated.faults) == 1
    assert str(made[1].id) in rotated.faults[0]
    with runtime.database.read() as session:
        assert session.get_one(Credential, made[1].id).sealed == broken


# Which key may leave the ring


def test_a_key_is_retirable_when_nothing_is_under_it_and_it_is_not_active(
    runtime: Runtime, new_ring: Runtime
) -> None:
    make_grants(runtime, 2)
    old, new = runtime.vault.active, new_ring.vault.active

    def verdicts() -> dict[str, bool]:
        return {use.key_id: use.retirable for use in rotation.read_use(new_ring).keys}

    assert verdicts() == {new: False, old: False}
    rotation.rotate(new_ring)
    assert verdicts() == {new: False, old: True}


def test_the_count_goes_by_the_sealed_bytes_and_not_by_what_a_column_says(
    runtime: Runtime, new_ring: Runtime
) -> None:
    made = make_grants(runtime, 2)
    with runtime.database.write() as session:
        session.execute(update(Credential).values(key_id=new_ring.vault.active))
    use = rotation.read_use(new_ring).of(runtime.vault.active)
    assert use is not None
    assert use.sealed["credentials"] == len(made)


def test_a_key_that_knows_a_code_of_the_last_day_is_kept(
    runtime: Runtime, new_ring: Runtime, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    first = come_back("code-canary-0001", ada)
    rotation.rotate(new_ring)
    use = rotation.read_use(new_ring).of(runtime.vault.active)
    assert use is not None
    assert (use.codes, use.retirable) == (1, False)
    assert come_back("code-canary-0001", ada).install_id == first.install_id


def test_values_under_a_key_that_is_not_on_the_ring_are_counted_apart(runtime: Runtime) -> None:
    make_grants(runtime, 2)
    other = replace(runtime, vault=parse_keys(new_key()))
    assert rotation.read_use(other).strange["credentials"] == 2
