"""A code is taken in once, exchanged once, and belongs to whoever brought it."""

import threading
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tests.fake_vendor import FakeVendor
from webapp.core import installs
from webapp.core.installs import Browser, Ending, Received
from webapp.core.runtime import Runtime
from webapp.errors import Invalid, NotFound
from webapp.lib.secret import Secret
from webapp.models import Connection, Install, InstallState, UserSession


def row(runtime: Runtime, install_id: UUID) -> Install:
    with runtime.database.read() as session:
        return session.get_one(Install, install_id)


def test_a_code_that_comes_back_is_exchanged_at_once_and_waits_for_its_owner(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, asked_for: Callable[..., UUID]
) -> None:
    install_id = asked_for(ada)
    install = row(runtime, install_id)
    assert (install.state, install.solicited) == (InstallState.PENDING, True)
    assert vendor.counts == {"exchange": 1, "list": 1}
    page = installs.open_page(runtime, install_id, Browser(session=ada))
    assert [one.account_key for one in page.workspaces] == ["acme", "birch"]
    assert page.workspaces[0].environments == ("prod", "staging")
    assert page.may_confirm
    assert not page.needs_proof


def test_nothing_is_linked_before_its_owner_says_so(
    runtime: Runtime, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    come_back("code-0001", ada)
    with runtime.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Connection)) == 0


def test_fifty_parallel_callbacks_make_one_exchange_and_one_install(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    vendor.delay = 0.2
    start = threading.Barrier(50)
    found: list[Received] = []

    def call() -> None:
        start.wait()
        found.append(come_back("code-0001", ada))

    threads = [threading.Thread(target=call) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 50
    assert len({received.install_id for received in found}) == 1
    assert [received.seen for received in found].count(False) == 1
    assert vendor.counts["exchange"] == 1
    with runtime.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Install)) == 1


def test_a_reload_lands_on_the_same_install_without_asking_the_vendor(
    vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    first = come_back("code-0001", ada)
    again = come_back("code-0001", ada)
    assert (again.install_id, again.seen) == (first.install_id, True)
    assert vendor.counts["exchange"] == 1


def test_an_ended_install_still_keeps_its_code_from_being_sent_again(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    received = come_back("code-0001", ada)
    with runtime.database.write() as session:
        installs.cancel(session, received.install_id, Browser(session=ada))
    assert come_back("code-0001", ada).seen
    assert vendor.counts["exchange"] == 1


@pytest.mark.parametrize(
    "code", ["", "short", "x" * 513, "code with blank", "code\r\nHost: x", "code/slash0", "cödecödecöde"]
)
def test_what_cannot_be_a_code_is_refused_unseen(
    vendor: FakeVendor, come_back: Callable[..., Received], code: str
) -> None:
    with pytest.raises(Invalid):
        come_back(code)
    assert not vendor.counts


def test_another_vendors_path_finds_nobody(runtime: Runtime) -> None:
    with pytest.raises(NotFound):
        installs.receive_code(runtime, installs.Callback(provider="last9", code=Secret("code-0001")))


# What makes an install solicited


def solicited(runtime: Runtime, received: Received) -> bool:
    return row(runtime, received.install_id).solicited


def begin(runtime: Runtime, who: UserSession) -> UUID:
    with runtime.database.write() as session:
        return installs.begin(session, who, runtime.providers["baselime"]).install_id


def test_a_code_without_an_intent_is_not_asked_for(
    runtime: Runtime, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    assert not solicited(runtime, come_back("code-0001", ada))


@pytest.mark.parametrize("referer", [None, "https://evil.test", "https://console.vendor.test.evil.test"])
def test_a_code_from_another_page_than_the_console_is_not_asked_for(
    runtime: Runtime, ada: UserSession, come_back: Callable[..., Received], referer: str | None
) -> None:
    begin(runtime, ada)
    assert not solicited(runtime, come_back("code-0001", ada, referer=referer))


def test_another_sessions_intent_is_not_used(
    runtime: Runtime, ada: UserSession, bob: UserSession, come_back: Callable[..., Received]
) -> None:
    intent = begin(runtime, ada)
    received = come_back("code-0001", bob)
    assert not solicited(runtime, received)
    assert received.install_id != intent
    assert row(runtime, intent).state is InstallState.INTENT


def test_an_intent_is_used_once(
    runtime: Runtime, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    intent = begin(runtime, ada)
    first, second = come_back("code-0001", ada), come_back("code-0002", ada)
    assert first.install_id == intent
    assert not solicited(runtime, second)


def test_a_second_code_in_the_session_makes_the_first_one_strict(
    runtime: Runtime, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    begin(runtime, ada)
    first = come_back("code-0001", ada)
    assert solicited(runtime, first)
    come_back("code-0002", ada)
    assert not solicited(runtime, first)


def test_an_expired_intent_is_not_used(
    runtime: Runtime,
    ada: UserSession,
    come_back: Callable[..., Received],
    let_pass: Callable[[UUID], None],
) -> None:
    intent = begin(runtime, ada)
    let_pass(intent)
    assert not solicited(runtime, come_back("code-0001", ada))


def test_there_is_one_open_intent_a_session(runtime: Runtime, ada: UserSession) -> None:
    older, newer = begin(runtime, ada), begin(runtime, ada)
    assert row(runtime, older).ending == Ending.BEGUN_AGAIN
    assert row(runtime, newer).state is InstallState.INTENT


def test_a_refusal_at_the_vendor_ends_the_intent(runtime: Runtime, ada: UserSession) -> None:
    intent = begin(runtime, ada)
    with runtime.database.write() as session:
        ended = installs.receive_refusal(
            session, runtime.providers["baselime"], ada, "access_denied\x1b[31m", vault=runtime.vault
        )
    assert ended == intent
    assert row(runtime, intent).ending == Ending.DECLINED
    assert row(runtime, intent).words == "access_denied[31m"


# Whose it is


def test_nobody_else_sees_an_install(
    runtime: Runtime,
    ada: UserSession,
    bob: UserSession,
    sign_in: Callable[[str], UserSession],
    asked_for: Callable[..., UUID],
) -> None:
    install_id = asked_for(ada)
    for browser in (Browser(session=None), Browser(session=bob), Browser(session=sign_in("ada"))):
        with pytest.raises(NotFound):
            installs.open_page(runtime, install_id, browser)
    assert installs.open_page(runtime, install_id, Browser(session=ada)).state is InstallState.PENDING


def test_the_first_signed_out_browser_that_opens_the_page_has_it(
    runtime: Runtime, come_back: Callable[..., Received]
) -> None:
    first, second = come_back("code-0001"), come_back("code-0001")
    assert first.new_binding is not None
    assert second.new_binding is not None
    assert first.new_binding != second.new_binding
    opener = Browser(session=None, candidate=second.new_binding)
    assert not installs.open_page(runtime, first.install_id, opener).signed_in
    with pytest.raises(NotFound):
        installs.open_page(runtime, first.install_id, Browser(session=None, candidate=first.new_binding))
    assert come_back("code-0001").new_binding is None


def test_a_candidate_of_one_install_opens_no_other(
    runtime: Runtime, come_back: Callable[..., Received]
) -> None:
    one, other = come_back("code-0001"), come_back("code-0002")
    with pytest.raises(NotFound):
        installs.open_page(runtime, one.install_id, Browser(session=None, candidate=other.new_binding))


def test_signing_in_with_the_candidate_makes_its_person_the_owner_under_strict_rules(
    runtime: Runtime, ada: UserSession, bob: UserSession, come_back: Callable[..., Received]
) -> None:
    received = come_back("code-0001")
    candidate = received.new_binding
    installs.open_page(runtime, received.install_id, Browser(session=None, candidate=candidate))
    page = installs.open_page(runtime, received.install_id, Browser(session=ada, candidate=candidate))
    assert page.signed_in
    assert page.needs_proof
    assert not page.may_confirm
    with pytest.raises(NotFound):
        installs.open_page(runtime, received.install_id, Browser(session=bob, candidate=candidate))


def test_a_new_session_of_the_same_person_goes_on_under_strict_rules(
    runtime: Runtime,
    ada: UserSession,
    sign_in: Callable[[str], UserSession],
    asked_for: Callable[..., UUID],
    sign_out: Callable[[UserSession], None],
) -> None:
    install_id = asked_for(ada)
    sign_out(ada)
    page = installs.open_page(runtime, install_id, Browser(session=sign_in("ada")))
    assert not page.solicited
    assert page.needs_proof
