"""Disconnect means gone at the vendor too: what it did not confirm is asked again, sealed, for three days."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import event, func, select

from tests.fake_vendor import FakeVendor
from webapp.core import connections, revocation, rotation
from webapp.core.audit import HITCHPOST
from webapp.core.queries.connection import find_connection
from webapp.core.runtime import Runtime
from webapp.errors import VendorUnavailable
from webapp.lib.secret import Secret
from webapp.lib.vault import new_key, parse_keys
from webapp.models import AuditLine, Connection, Credential, Notice, Revocation, UserSession

HOUR = 3600.0


class Revoking(FakeVendor):
    """A vendor that takes grants back, once it is through with `revoke_faults`."""

    farewell: ClassVar[str] = "Look under Settings there."

    def __init__(self) -> None:
        super().__init__()
        self.revoke_faults: list[Exception] = []
        self.asked: list[str] = []

    def revoke(self, http: object, secrets: Mapping[str, Secret], details: object) -> None:
        with self.lock:
            self.asked.append(secrets["refresh_token"].reveal())
        self._call("revoke", self.revoke_faults)


@pytest.fixture
def vendor() -> Revoking:
    return Revoking()


@pytest.fixture
def connection(ada: UserSession, connect: Callable[..., Connection]) -> Connection:
    return connect(ada)


@pytest.fixture
def pass_time(runtime: Runtime) -> Callable[[float], None]:
    """Call it to let so many seconds pass for everything that is still to be given back."""

    def shift(seconds: float) -> None:
        with runtime.database.write() as session:
            for row in session.scalars(select(Revocation)):
                row.due_at -= timedelta(seconds=seconds)
                row.created_at -= timedelta(seconds=seconds)

    return shift


def no_answer(**more: Any) -> VendorUnavailable:
    return VendorUnavailable("it answered 503", **more)


def kept(runtime: Runtime) -> int:
    with runtime.database.read() as session:
        return session.execute(select(func.count()).select_from(Revocation)).scalar_one()


def acts(runtime: Runtime, connection: Connection) -> list[str]:
    with runtime.database.read() as session:
        chosen = select(AuditLine.act).where(AuditLine.connection_id == connection.id)
        return list(session.scalars(chosen.order_by(AuditLine.id)))


def test_what_the_vendor_takes_back_at_once_leaves_nothing(
    runtime: Runtime, vendor: Revoking, connection: Connection
) -> None:
    assert connections.disconnect(runtime, HITCHPOST, connection.id) == "Look under Settings there."
    assert (vendor.asked, kept(runtime)) == (["refresh-canary-1"], 0)


def test_what_it_did_not_confirm_is_asked_again_and_then_wiped(
    runtime: Runtime, vendor: Revoking, connection: Connection, pass_time: Callable[[float], None]
) -> None:
    vendor.revoke_faults = [no_answer(), no_answer()]
    said = connections.disconnect(runtime, HITCHPOST, connection.id)
    assert "asked again for up to three days" in said
    assert said.endswith("Look under Settings there.")
    revocation.sweep(runtime)
    assert (vendor.counts["revoke"], kept(runtime)) == (1, 1)
    pass_time(HOUR)
    revocation.sweep(runtime)
    assert (vendor.counts["revoke"], kept(runtime)) == (2, 1)
    pass_time(HOUR)
    revocation.sweep(runtime)
    assert (vendor.asked, kept(runtime)) == (["refresh-canary-1"] * 3, 0)
    assert acts(runtime, connection)[-2:] == ["connection.disconnected", "connection.revoked"]


def test_a_vendor_that_left_the_settings_has_confirmed_nothing(
    runtime: Runtime, vendor: Revoking, connection: Connection, pass_time: Callable[[float], None]
) -> None:
    vendor.revoke_faults = [no_answer()]
    connections.disconnect(runtime, HITCHPOST, connection.id)
    pass_time(HOUR)
    revocation.sweep(replace(runtime, providers={}))
    assert kept(runtime) == 1
    assert "connection.revoked" not in acts(runtime, connection)


def test_nothing_but_that_stays_sealed_and_the_page_says_until_when(
    runtime: Runtime, vendor: Revoking, connection: Connection
) -> None:
    vendor.revoke_faults = [no_answer()]
    connections.disconnect(runtime, HITCHPOST, connection.id)
    with runtime.database.read() as session:
        row = session.scalars(select(Revocation)).one()
        assert b"canary" not in row.sealed
        assert set(session.scalars(select(Credential.sealed))) == {None}
        detail = find_connection(session, None, connection.id)
    assert detail.revoking_until == row.created_at + timedelta(days=3)


def test_after_three_days_it_is_given_up_wiped_and_told(
    runtime: Runtime, vendor: Revoking, connection: Connection, pass_time: Callable[[float], None]
) -> None:
    vendor.revoke_faults = [no_answer()] * 99
    connections.disconnect(runtime, HITCHPOST, connection.id)
    for _ in range(12):
        pass_time(6 * HOUR)
        revocation.sweep(runtime)
    asked = vendor.counts["revoke"]
    assert (kept(runtime), asked) == (0, 13)
    pass_time(90 * HOUR)
    revocation.sweep(runtime)
    assert vendor.counts["revoke"] == asked
    assert acts(runtime, connection)[-2:] == ["connection.not_revoked", "connection.told"]
    with runtime.database.read() as session:
        notice = session.scalars(select(Notice)).one()
    assert (notice.kind, notice.user_id) == ("connection.not_revoked", connection.user_id)
    assert notice.text.endswith("Remove it there by hand. Look under Settings there.")


def test_a_wait_that_the_vendor_asks_for_is_kept(
    runtime: Runtime, vendor: Revoking, connection: Connection, pass_time: Callable[[float], None]
) -> None:
    vendor.revoke_faults = [no_answer(), no_answer(retry_after=3000.0)]
    connections.disconnect(runtime, HITCHPOST, connection.id)
    for seconds, tries in ((70.0, 2), (2900.0, 2), (110.0, 3)):
        pass_time(seconds)
        revocation.sweep(runtime)
        assert vendor.counts["revoke"] == tries


def test_eight_sweeps_at_once_ask_once(
    runtime: Runtime, vendor: Revoking, connection: Connection, pass_time: Callable[[float], None]
) -> None:
    vendor.revoke_faults, vendor.delay = [no_answer()], 0.05
    connections.disconnect(runtime, HITCHPOST, connection.id)
    pass_time(HOUR)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: revocation.sweep(runtime), range(8)))
    assert (vendor.counts["revoke"], kept(runtime)) == (2, 0)


@pytest.mark.parametrize("tables_url", ["postgresql"], indirect=True)
def test_one_at_a_time_is_taken_whatever_plan_the_database_makes(
    runtime: Runtime, vendor: Revoking, connection: Connection
) -> None:
    connections.disconnect(runtime, HITCHPOST, connection.id)
    with runtime.database.write() as session:
        parts = [{"refresh_token": Secret(f"refresh-canary-{number}")} for number in range(5)]
        revocation.keep(session, runtime.vault, connection, parts)

    def look_row_by_row(opened: Any, _: object) -> None:
        for plan in ("hashjoin", "mergejoin", "hashagg", "material", "sort"):
            opened.execute(f"SET enable_{plan} = off")
        opened.commit()

    event.listen(runtime.database.engine, "connect", look_row_by_row)
    runtime.database.engine.dispose()
    revocation.sweep(runtime)
    assert kept(runtime) == 0
    assert sorted(vendor.asked[1:]) == [f"refresh-canary-{number}" for number in range(5)]


def test_a_worker_that_died_over_it_is_followed_by_another(
    runtime: Runtime, vendor: Revoking, connection: Connection, pass_time: Callable[[float], None]
) -> None:
    vendor.revoke_faults = [no_answer(), RuntimeError("killed")]
    connections.disconnect(runtime, HITCHPOST, connection.id)
    pass_time(70.0)
    with pytest.raises(RuntimeError):
        revocation.sweep(runtime)
    revocation.sweep(runtime)
    assert kept(runtime) == 1
    pass_time(70.0)
    revocation.sweep(runtime)
    assert (vendor.counts["revoke"], kept(runtime)) == (3, 0)


def test_the_vaults_key_can_change_meanwhile(
    runtime: Runtime, vendor: Revoking, connection: Connection, pass_time: Callable[[float], None]
) -> None:
    vendor.revoke_faults = [no_answer()]
    connections.disconnect(runtime, HITCHPOST, connection.id)
    old, new = runtime.settings.vault_keys.get_secret_value(), new_key()
    assert rotation.rotate(replace(runtime, vault=parse_keys(f"{new},{old}"))).faults == ()
    pass_time(HOUR)
    revocation.sweep(replace(runtime, vault=parse_keys(new)))
    assert (vendor.asked, kept(runtime)) == (["refresh-canary-1"] * 2, 0)


def test_what_cannot_be_opened_any_more_is_wiped_in_time_all_the_same(
    runtime: Runtime, vendor: Revoking, connection: Connection, pass_time: Callable[[float], None]
) -> None:
    vendor.revoke_faults = [no_answer()]
    connections.disconnect(runtime, HITCHPOST, connection.id)
    lost_key = replace(runtime, vault=parse_keys(new_key()))
    for seconds, left in ((HOUR, 1), (72 * HOUR, 0)):
        pass_time(seconds)
        revocation.sweep(lost_key)
        assert (vendor.counts["revoke"], kept(runtime)) == (1, left)
    assert "connection.not_revoked" in acts(runtime, connection)
