"""A grant that nobody here asked for needs a code typed back, read in the workspace itself."""

import re
from collections.abc import Callable
from uuid import UUID

import pytest

from tests.fake_vendor import FakeHttp, FakeVendor, listing
from webapp.core import installs
from webapp.core.installs import Browser, Ending, Page, Received
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, Forbidden, NotFound, VendorUnavailable
from webapp.lib.http import Response
from webapp.lib.secret import Secret
from webapp.models import Install, InstallState, UserSession


@pytest.fixture
def unasked(come_back: Callable[..., Received], ada: UserSession) -> UUID:
    """A grant that came to ada without her asking: T1, as the attacker would have it."""
    return come_back("code-0001", ada).install_id


def codes(inbox: FakeHttp) -> dict[str, str]:
    """The codes in the inbox, by ingest key."""
    found = {}
    for key, event in inbox.inbox:
        match = re.search(r"[0-9A-Z]{5}-[0-9A-Z]{5}", event["message"])
        assert match is not None
        found[key] = match[0]
    return found


def open_page(runtime: Runtime, install_id: UUID, who: UserSession) -> Page:
    return installs.open_page(runtime, install_id, Browser(session=who))


def check(runtime: Runtime, install_id: UUID, who: UserSession, typed: str) -> bool:
    return installs.check_proof(runtime, install_id, Browser(session=who), Secret(typed))


def test_a_grant_that_was_not_asked_for_cannot_be_confirmed_by_a_click(
    runtime: Runtime, ada: UserSession, unasked: UUID
) -> None:
    page = open_page(runtime, unasked, ada)
    assert page.needs_proof
    assert not page.may_confirm
    with pytest.raises(Conflict):
        installs.confirm(runtime, unasked, Browser(session=ada), seal=page.seal)


def test_each_workspace_gets_one_event_with_a_code_of_its_own(
    runtime: Runtime, inbox: FakeHttp, ada: UserSession, unasked: UUID
) -> None:
    installs.start_proof(runtime, unasked, Browser(session=ada))
    assert sorted(codes(inbox)) == ["key-canary-acme-prod", "key-canary-birch-prod"]
    assert len(set(codes(inbox).values())) == 2
    assert {event["type"] for _, event in inbox.inbox} == {"hitchpost.proof"}
    assert all("Never use a code that somebody sent you" in event["message"] for _, event in inbox.inbox)


def test_typing_a_code_back_proves_that_workspace_and_only_that(
    runtime: Runtime, inbox: FakeHttp, ada: UserSession, unasked: UUID
) -> None:
    installs.start_proof(runtime, unasked, Browser(session=ada))
    assert check(runtime, unasked, ada, codes(inbox)["key-canary-acme-prod"])
    page = open_page(runtime, unasked, ada)
    assert page.state is InstallState.PROVEN
    assert {one.account_key: one.proven for one in page.workspaces} == {"acme": True, "birch": False}
    connection = installs.confirm(runtime, unasked, Browser(session=ada), seal=page.seal)
    assert connection.label == "acme"


@pytest.mark.parametrize(
    "mangle",
    [
        str.lower,
        lambda code: f"  {code} ",
        lambda code: code.replace("-", ""),
        lambda code: code.replace("0", "o").replace("1", "l"),
    ],
)
def test_a_code_is_read_as_people_type_it(
    runtime: Runtime, inbox: FakeHttp, ada: UserSession, unasked: UUID, mangle: Callable[[str], str]
) -> None:
    installs.start_proof(runtime, unasked, Browser(session=ada))
    assert check(runtime, unasked, ada, mangle(codes(inbox)["key-canary-acme-prod"]))


def test_the_fifth_wrong_code_ends_it(
    runtime: Runtime, inbox: FakeHttp, ada: UserSession, unasked: UUID
) -> None:
    installs.start_proof(runtime, unasked, Browser(session=ada))
    for left in (4, 3, 2, 1):
        assert not check(runtime, unasked, ada, "AAAAA-AAAAA")
        assert open_page(runtime, unasked, ada).tries_left == left
    assert not check(runtime, unasked, ada, "AAAAA-AAAAA")
    with pytest.raises(Conflict):
        check(runtime, unasked, ada, codes(inbox)["key-canary-acme-prod"])
    with runtime.database.read() as session:
        install = session.get_one(Install, unasked)
    assert (install.ending, install.sealed, install.proofs) == (Ending.PROOF_FAILED, None, None)


def test_wrong_codes_after_a_right_one_stop_the_typing_and_keep_what_was_proven(
    runtime: Runtime, inbox: FakeHttp, ada: UserSession, unasked: UUID
) -> None:
    installs.start_proof(runtime, unasked, Browser(session=ada))
    assert check(runtime, unasked, ada, codes(inbox)["key-canary-acme-prod"])
    for _ in range(5):
        assert not check(runtime, unasked, ada, "AAAAA-AAAAA")
    with pytest.raises(Conflict):
        check(runtime, unasked, ada, codes(inbox)["key-canary-birch-prod"])
    assert open_page(runtime, unasked, ada).may_confirm


def test_a_code_of_another_install_proves_nothing(  # noqa: PLR0917 - fixtures, by name
    runtime: Runtime,
    inbox: FakeHttp,
    ada: UserSession,
    bob: UserSession,
    unasked: UUID,
    come_back: Callable[..., Received],
) -> None:
    installs.start_proof(runtime, unasked, Browser(session=ada))
    mine = codes(inbox)["key-canary-acme-prod"]
    other = come_back("code-0002", bob).install_id
    inbox.inbox.clear()
    installs.start_proof(runtime, other, Browser(session=bob))
    assert not check(runtime, other, bob, mine)


def test_codes_are_sent_once(runtime: Runtime, inbox: FakeHttp, ada: UserSession, unasked: UUID) -> None:
    installs.start_proof(runtime, unasked, Browser(session=ada))
    with pytest.raises(Conflict):
        installs.start_proof(runtime, unasked, Browser(session=ada))
    assert len(inbox.inbox) == 2


def test_when_no_code_gets_in_it_can_be_tried_again(
    runtime: Runtime, inbox: FakeHttp, ada: UserSession, unasked: UUID
) -> None:
    taken, inbox.answer = inbox.answer, Response(status=500, body=b"")
    with pytest.raises(VendorUnavailable):
        installs.start_proof(runtime, unasked, Browser(session=ada))
    assert open_page(runtime, unasked, ada).state is InstallState.PENDING
    inbox.answer = taken
    installs.start_proof(runtime, unasked, Browser(session=ada))
    assert len(inbox.inbox) == 2


def test_a_workspace_that_takes_no_code_is_not_waited_for(
    runtime: Runtime, inbox: FakeHttp, ada: UserSession, unasked: UUID
) -> None:
    inbox.refused = {"key-canary-birch-prod"}
    installs.start_proof(runtime, unasked, Browser(session=ada))
    page = open_page(runtime, unasked, ada)
    assert {one.account_key: one.proof_environment for one in page.workspaces} == {
        "acme": "prod",
        "birch": None,
    }


def test_only_its_signed_in_owner_can_prove_it(
    runtime: Runtime, bob: UserSession, unasked: UUID, come_back: Callable[..., Received]
) -> None:
    with pytest.raises(NotFound):
        installs.start_proof(runtime, unasked, Browser(session=bob))
    received = come_back("code-0003")
    anonymous = Browser(session=None, candidate=received.new_binding)
    installs.open_page(runtime, received.install_id, anonymous)
    with pytest.raises(Forbidden):
        installs.start_proof(runtime, received.install_id, anonymous)


def test_a_proof_wants_a_fresh_sign_in(
    runtime: Runtime,
    inbox: FakeHttp,
    ada: UserSession,
    unasked: UUID,
    age_sign_in: Callable[[UserSession, float], UserSession],
) -> None:
    installs.start_proof(runtime, unasked, Browser(session=ada))
    check(runtime, unasked, ada, codes(inbox)["key-canary-acme-prod"])
    stale = age_sign_in(ada, 6)
    page = open_page(runtime, unasked, stale)
    assert page.needs_reauthentication
    with pytest.raises(installs.ReauthenticationNeeded):
        installs.confirm(runtime, unasked, Browser(session=stale), seal=page.seal)
    fresh = age_sign_in(ada, 4)
    assert installs.confirm(runtime, unasked, Browser(session=fresh), seal=page.seal)


def test_a_proof_runs_out(
    runtime: Runtime,
    inbox: FakeHttp,
    ada: UserSession,
    unasked: UUID,
    let_pass: Callable[[UUID], None],
) -> None:
    installs.start_proof(runtime, unasked, Browser(session=ada))
    let_pass(unasked)
    with pytest.raises(Conflict):
        check(runtime, unasked, ada, codes(inbox)["key-canary-acme-prod"])
    with runtime.database.read() as session:
        assert session.get_one(Install, unasked).ending == Ending.PROOF_EXPIRED


def test_without_any_key_there_is_nothing_to_prove_with(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    vendor.environments = [
        type(one)(account_key=one.account_key, vendor_key=one.vendor_key, ingest_key=None)
        for one in listing("acme/prod")
    ]
    with pytest.raises(Conflict):
        installs.start_proof(runtime, come_back("code-0001", ada).install_id, Browser(session=ada))
