"""How an exchange can go wrong, and that each way has its own end and leaves nothing behind."""

import threading
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.fake_vendor import FakeVendor
from webapp.core import installs
from webapp.core.installs import Browser, Ending, Received
from webapp.core.installs.exchange import advance
from webapp.core.runtime import Runtime
from webapp.errors import (
    AccessRefused,
    ClientRefused,
    GrantRefused,
    VendorAnswerInvalid,
    VendorRateLimited,
    VendorUnavailable,
)
from webapp.lib import clock
from webapp.models import Breaker, Install, InstallState, Notice, UserSession

NO_CONNECTION = VendorUnavailable("no connection could be made", sent=False)


def row(runtime: Runtime, install_id: UUID) -> Install:
    with runtime.database.read() as session:
        return session.get_one(Install, install_id)


def make_older(runtime: Runtime, install_id: UUID, seconds: float) -> None:
    """As if the code had come that much earlier."""
    with runtime.database.write() as session:
        install = session.get_one(Install, install_id)
        assert install.received_at is not None
        install.received_at -= timedelta(seconds=seconds)
        install.expires_at -= timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        (GrantRefused("The code has expired", status=400), Ending.CODE_REFUSED),
        (ClientRefused("Unknown client", status=401), Ending.CLIENT_REFUSED),
        (VendorUnavailable("answered with a web page", status=502), Ending.VENDOR_UNCLEAR),
        (VendorUnavailable("answered 500", status=500), Ending.VENDOR_UNCLEAR),
        (VendorUnavailable("no answer in time", sent=True), Ending.VENDOR_UNCLEAR),
        (VendorUnavailable("answered 302", status=302), Ending.VENDOR_UNCLEAR),
        (VendorAnswerInvalid("the token answer is not a JSON object", status=200), Ending.VENDOR_NONSENSE),
    ],
)
def test_an_answer_after_which_the_code_may_be_spent_ends_it(  # noqa: PLR0917 - fixtures, by name
    runtime: Runtime,
    vendor: FakeVendor,
    ada: UserSession,
    come_back: Callable[..., Received],
    fault: Exception,
    ending: Ending,
) -> None:
    vendor.exchange_faults = [fault]
    received = come_back("code-0001", ada)
    install = row(runtime, received.install_id)
    assert (install.state, install.ending) == (InstallState.FAILED, ending)
    assert install.sealed is None
    installs.sweep(runtime)
    installs.open_page(runtime, received.install_id, Browser(session=ada))
    assert vendor.counts["exchange"] == 1


@pytest.mark.parametrize(
    "fault",
    [
        NO_CONNECTION,
        VendorUnavailable("answered 503", status=503),
        VendorRateLimited("Too Many Requests", status=429),
    ],
)
def test_a_failure_that_surely_gave_no_grant_is_tried_again_in_the_codes_life(
    runtime: Runtime,
    vendor: FakeVendor,
    ada: UserSession,
    come_back: Callable[..., Received],
    fault: Exception,
) -> None:
    vendor.exchange_faults = [fault]
    received = come_back("code-0001", ada)
    page = installs.open_page(runtime, received.install_id, Browser(session=ada))
    assert page.waiting
    assert page.state is InstallState.RECEIVED
    assert vendor.counts["exchange"] == 1, "tries are spread"
    make_older(runtime, received.install_id, 60)
    assert installs.sweep(runtime) == 1
    assert row(runtime, received.install_id).state is InstallState.PENDING
    assert vendor.counts["exchange"] == 2


def test_opening_the_page_tries_again_too(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    vendor.exchange_faults = [NO_CONNECTION]
    received = come_back("code-0001", ada)
    make_older(runtime, received.install_id, 60)
    page = installs.open_page(runtime, received.install_id, Browser(session=ada))
    assert page.state is InstallState.PENDING
    assert page.workspaces


def test_a_wait_that_the_vendor_asks_for_is_kept(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    vendor.exchange_faults = [VendorRateLimited("slow down", status=429, retry_after=100.0)]
    received = come_back("code-0001", ada)
    make_older(runtime, received.install_id, 60)
    installs.sweep(runtime)
    assert vendor.counts["exchange"] == 1
    make_older(runtime, received.install_id, 50)
    installs.sweep(runtime)
    assert vendor.counts["exchange"] == 2


def test_a_vendor_that_stays_down_ends_it_when_the_code_is_dead(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    vendor.exchange_faults = [NO_CONNECTION]
    received = come_back("code-0001", ada)
    make_older(runtime, received.install_id, 171)
    installs.sweep(runtime)
    install = row(runtime, received.install_id)
    assert (install.state, install.ending, install.sealed) == (
        InstallState.FAILED,
        Ending.VENDOR_DOWN,
        None,
    )
    assert vendor.counts["exchange"] == 1


def test_a_code_past_its_life_is_not_sent_even_before_it_is_swept(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    vendor.exchange_faults = [NO_CONNECTION]
    received = come_back("code-0001", ada)
    make_older(runtime, received.install_id, 171)
    advance(runtime, received.install_id)
    assert vendor.counts["exchange"] == 1


def test_a_process_that_died_while_exchanging_does_not_make_the_code_be_sent_twice(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    vendor.exchange_faults = [NO_CONNECTION]
    received = come_back("code-0001", ada)
    with runtime.database.write() as session:
        session.get_one(Install, received.install_id).state = InstallState.EXCHANGING
    make_older(runtime, received.install_id, 300)
    installs.sweep(runtime)
    assert row(runtime, received.install_id).ending == Ending.INTERRUPTED
    assert vendor.counts["exchange"] == 1


def test_a_grant_that_comes_after_the_cancel_is_dropped(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    def cancel() -> None:
        vendor.during = lambda: None
        with runtime.database.write() as session:
            found = session.scalars(select(Install)).one()
            installs.cancel(session, found.id, Browser(session=ada))

    vendor.during = cancel
    received = come_back("code-0001", ada)
    install = row(runtime, received.install_id)
    assert (install.state, install.sealed) == (InstallState.CANCELLED, None)


def test_no_transaction_is_open_while_the_vendor_is_asked(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    wrote = threading.Event()

    def write() -> None:
        with runtime.database.write() as session:
            session.add(Notice(dedupe_key=f"probe-{vendor.counts}", kind="probe", text="written"))
        wrote.set()

    def from_another_thread() -> None:
        wrote.clear()
        thread = threading.Thread(target=write)
        thread.start()
        thread.join(5)
        assert wrote.is_set()

    vendor.during = from_another_thread
    received = come_back("code-0001", ada)
    assert row(runtime, received.install_id).state is InstallState.PENDING


def test_a_refused_client_tells_the_admins_and_stops_no_refresh(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    vendor.exchange_faults = [ClientRefused("Unknown client", status=401)] * 2
    come_back("code-0001", ada)
    come_back("code-0002", ada)
    with runtime.database.read() as session:
        notices = session.scalars(select(Notice)).all()
        assert [(one.kind, one.user_id) for one in notices] == [("client_refused", None)]
        assert session.scalars(select(Breaker)).all() == []


# The list after the exchange


def test_a_list_that_fails_is_asked_for_again_when_the_page_is_opened(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    vendor.list_faults = [VendorUnavailable("answered 500", status=500)]
    received = come_back("code-0001", ada)
    assert row(runtime, received.install_id).state is InstallState.PENDING
    page = installs.open_page(runtime, received.install_id, Browser(session=ada))
    assert len(page.workspaces) == 2
    assert vendor.counts == {"exchange": 1, "list": 2}


def test_an_account_without_environments_ends_it(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    vendor.environments = ()
    install = row(runtime, come_back("code-0001", ada).install_id)
    assert (install.state, install.ending, install.sealed) == (
        InstallState.REFUSED,
        Ending.NO_ENVIRONMENT,
        None,
    )


def test_a_grant_that_may_list_nothing_ends_it(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    vendor.list_faults = [AccessRefused("Unauthorised", status=401)]
    install = row(runtime, come_back("code-0001", ada).install_id)
    assert (install.ending, install.sealed) == (Ending.ACCESS_REFUSED, None)


# The clock


def test_what_nobody_confirms_is_forgotten_after_fifteen_minutes(
    runtime: Runtime, ada: UserSession, asked_for: Callable[..., UUID], let_pass: Callable[[UUID], None]
) -> None:
    install_id = asked_for(ada)
    expires = row(runtime, install_id).expires_at
    assert timedelta(minutes=14) < expires - clock.now() <= timedelta(minutes=15)
    let_pass(install_id)
    installs.sweep(runtime)
    install = row(runtime, install_id)
    assert (install.state, install.ending, install.sealed) == (
        InstallState.EXPIRED,
        Ending.NOT_CONFIRMED,
        None,
    )


def test_an_intent_that_stays_unanswered_has_its_end(
    runtime: Runtime, ada: UserSession, let_pass: Callable[[UUID], None]
) -> None:
    with runtime.database.write() as session:
        begun = installs.begin(session, ada, runtime.providers["baselime"])
    let_pass(begun.install_id)
    page = installs.open_page(runtime, begun.install_id, Browser(session=ada))
    assert page.ending is Ending.UNANSWERED


def test_what_ended_long_ago_is_deleted(
    runtime: Runtime, ada: UserSession, asked_for: Callable[..., UUID]
) -> None:
    install_id = asked_for(ada)
    with runtime.database.write() as session:
        installs.cancel(session, install_id, Browser(session=ada))
        session.get_one(Install, install_id).created_at = clock.now() - timedelta(days=31)
    installs.sweep(runtime)
    with runtime.database.read() as session:
        assert session.get(Install, install_id) is None


@pytest.mark.parametrize("ending", list(Ending))
def test_every_ending_says_what_happened_what_is_safe_and_what_to_do(ending: Ending) -> None:
    words = ending.words("Baselime")
    for text in (words.title, words.happened, words.safe, words.next):
        assert text
        assert "{" not in text
