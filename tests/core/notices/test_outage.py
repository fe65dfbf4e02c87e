"""A vendor's outage, from the refreshes that fail to the one mail that says so."""

from sqlalchemy import func, select, update

from tests.core.grants import make_grants
from tests.core.notices.conftest import Pass
from tests.fake_vendor import FakeVendor
from tests.receivers import App, Mailbox
from webapp.core import notices, refresh
from webapp.core.runtime import Runtime
from webapp.errors import VendorUnavailable
from webapp.lib.database import db_time
from webapp.models import Connection, ConnectionState, Credential, User

MINUTE = 60.0
GRANTS = 60


def run_out(runtime: Runtime) -> None:
    """Let every access token end, and every refresh be due."""
    with runtime.database.write() as session:
        session.execute(update(Credential).values(expires_at=db_time(), refresh_at=db_time()))


def in_state(runtime: Runtime, state: ConnectionState) -> int:
    with runtime.database.read() as session:
        chosen = select(func.count()).where(Connection.state == state)
        return session.execute(chosen).scalar_one()


def test_refreshes_that_fail_for_a_vendors_outage_are_one_mail_and_end_in_one(
    house: Runtime, vendor: FakeVendor, app: App, mailbox: Mailbox, pass_time: Pass
) -> None:
    make_grants(house, GRANTS)
    with house.database.write() as session:
        session.execute(update(User).where(User.external_id == "grants").values(email="owner@example.org"))
    vendor.refresh_faults = [VendorUnavailable("answered 503", status=503)] * GRANTS
    run_out(house)
    refresh.sweep(house)
    assert in_state(house, ConnectionState.DEGRADED) == GRANTS
    for _ in range(4):
        pass_time(10 * MINUTE)
        notices.sweep(house)
    assert (app.types, mailbox.receivers) == (["vendor.incident"], ["alice@example.org"])
    run_out(house)
    refresh.sweep(house)
    assert in_state(house, ConnectionState.ACTIVE) == GRANTS
    for _ in range(4):
        pass_time(10 * MINUTE)
        notices.sweep(house)
    assert app.types == ["vendor.incident", "vendor.recovered"]
    assert mailbox.receivers == ["alice@example.org"] * 2
