"""What is under way while somebody is deleted brings nothing back, and costs others nothing."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tests.core.deletion import household
from tests.core.deletion.household import read_rows, settle
from tests.fake_vendor import FakeVendor
from tests.forwarding import ACTOR, Yard, postgres_yard_url, sqlite_yard_url, yard
from webapp.core import credentials, deletion, delivery, installs, refresh
from webapp.core.installs import Browser
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, Invalid, NotFound, Overloaded
from webapp.lib.secret import Secret
from webapp.models import (
    Connection,
    Credential,
    CredentialKind,
    Event,
    Install,
    Revocation,
    User,
    UserSession,
)

__all__ = ["postgres_yard_url", "sqlite_yard_url", "yard"]


def test_senders_and_drains_bring_nothing_back_and_others_lose_nothing(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.core.deletion.sweeping._MOST_ROWS", 20)
    yard.destination(who="bob")
    before = {name for name, rows in read_rows(yard).items() if rows}
    ada = settle(yard)
    sent: list[str] = []

    def send(who: str) -> None:
        for number in range(10_000):
            if over():
                return
            with suppress(Overloaded, Invalid):
                yard.accept(f"{who}{number}", user=who)
                sent.append(f"{who}{number}")

    def drain() -> None:
        while not over():
            delivery.drain(yard.runtime, seconds=0.05)

    def delete() -> None:
        with yard.runtime.database.write() as session:
            deletion.begin(session, ACTOR, ada)
        while not over():
            deletion.sweep(yard.runtime)
            household.let_time_pass(yard.runtime)

    end = time.monotonic() + 15.0

    def over() -> bool:
        with yard.runtime.database.read() as session:
            gone = session.scalar(select(User.id).where(User.id == ada)) is None
        return time.monotonic() > end or (gone and len(sent) > 20)

    with ThreadPoolExecutor(5) as pool:
        walks = [
            pool.submit(act, *given)
            for act, *given in ((send, "ada"), (send, "bob"), (drain,), (delete,), (delete,))
        ]
        for walk in walks:
            walk.result(60)
    yard.drain(hastened=2)
    bobs = [name for name in sent if name.startswith("bob")]
    assert [name for name in yard.inbox.ids if name.startswith("bob")] == bobs
    with yard.runtime.database.read() as session:
        assert session.scalars(select(User.external_id)).all() == ["bob"]
        assert session.scalar(select(func.count()).select_from(Event)) == len(bobs)
    assert {name for name, rows in read_rows(yard).items() if rows} - before <= {"attempts", "events"}
    yard.assert_ledgers_are_exact()


class Revoking(FakeVendor):
    """A vendor that takes grants back, and whose refresh tokens work once."""

    def __init__(self) -> None:
        super().__init__()
        self.rotates = True
        self.asked: list[str] = []

    def revoke(self, http: object, secrets: Mapping[str, Secret], details: object) -> None:
        self.asked.append(secrets["refresh_token"].reveal())


@pytest.fixture
def vendor() -> Revoking:
    return Revoking()


def begin(runtime: Runtime, user_id: UUID) -> None:
    with runtime.database.write() as session:
        deletion.begin(session, ACTOR, user_id)
    deletion.sweep(runtime)


def finish(runtime: Runtime) -> None:
    household.let_time_pass(runtime)
    deletion.sweep(runtime)
    with runtime.database.read() as session:
        for table in (User, Connection, Install, Revocation, Credential):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_a_grant_that_comes_late_is_given_back(
    runtime: Runtime, vendor: Revoking, ada: UserSession, connect: Callable[..., Connection]
) -> None:
    connection = connect(ada)
    with runtime.database.read() as session:
        grant = credentials.find(session, connection.id, CredentialKind.GRANT, scope="")
    assert grant is not None
    vendor.during = lambda: begin(runtime, ada.user_id)
    refresh.refresh_one(runtime, grant.id)
    assert vendor.asked == ["refresh-canary-1", "refresh-canary-1.1"]
    finish(runtime)


def test_an_install_that_is_confirmed_meanwhile_ends_with_the_rest(
    runtime: Runtime, ada: UserSession, asked_for: Callable[..., UUID]
) -> None:
    install_id = asked_for(ada)
    page = installs.open_page(runtime, install_id, Browser(session=ada))
    begin(runtime, ada.user_id)
    with suppress(Conflict, NotFound):
        installs.confirm(runtime, install_id, Browser(session=ada), seal=page.seal)
    deletion.sweep(runtime)
    finish(runtime)
    with pytest.raises((Conflict, NotFound)):
        installs.confirm(runtime, install_id, Browser(session=ada), seal=page.seal)
