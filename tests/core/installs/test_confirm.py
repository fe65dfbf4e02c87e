"""Confirming links what was shown, to whom it was shown, once; or changes nothing."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tests.fake_vendor import FakeHttp, FakeVendor, listing
from webapp.core import connections, credentials, destinations, installs
from webapp.core.audit import HITCHPOST
from webapp.core.installs import Browser, Ending, Received
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, Forbidden, NotFound
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
    Install,
    InstallState,
    Notice,
    UserSession,
)
from webapp.settings import InstallProof

Connect = Callable[..., Connection]


def row(runtime: Runtime, install_id: UUID) -> Install:
    with runtime.database.read() as session:
        return session.get_one(Install, install_id)


def accounts(runtime: Runtime) -> dict[str, UUID]:
    with runtime.database.read() as session:
        held = session.scalars(select(Account).where(Account.released_at.is_(None)))
        return {one.account_key: one.connection_id for one in held}


def test_a_confirmed_install_is_an_active_connection_with_sealed_keys(
    runtime: Runtime, ada: UserSession, connect: Connect
) -> None:
    connection = connect(ada)
    assert (connection.state, connection.label) == (ConnectionState.ACTIVE, "acme, birch")
    assert connection.user_id == ada.user_id
    with runtime.database.read() as session:
        found = session.scalars(select(Credential).where(Credential.connection_id == connection.id)).all()
        grant = next(one for one in found if one.kind is CredentialKind.GRANT)
        assert len(found) == 4
        assert credentials.open_parts(runtime.vault, grant)["refresh_token"].reveal() == "refresh-canary-1"
        assert session.scalar(select(func.count()).select_from(Environment)) == 3
    assert grant.refresh_at is not None
    assert timedelta(hours=11.9) < grant.refresh_at - clock.now() < timedelta(hours=16.1)
    fresh = connections_row(runtime, connection.id)
    assert fresh.environments_due_at is not None
    assert timedelta(hours=21) < fresh.environments_due_at - clock.now() < timedelta(hours=27)


def connections_row(runtime: Runtime, connection_id: UUID) -> Connection:
    with runtime.database.read() as session:
        return session.get_one(Connection, connection_id)


def test_the_install_keeps_nothing_sealed_and_its_timeline_begins(
    runtime: Runtime, ada: UserSession, connect: Connect
) -> None:
    connection = connect(ada)
    with runtime.database.read() as session:
        install = session.scalars(select(Install)).one()
        acts = set(session.scalars(select(AuditLine.act).where(AuditLine.connection_id == connection.id)))
    assert (install.state, install.sealed) == (InstallState.CONFIRMED, None)
    assert install.connection_id == connection.id
    assert {"connection.connected", "install.ended"} <= acts


def test_confirming_twice_is_confirming_once(
    runtime: Runtime, ada: UserSession, asked_for: Callable[..., UUID]
) -> None:
    install_id = asked_for(ada)
    browser = Browser(session=ada)
    seal = installs.open_page(runtime, install_id, browser).seal
    first = installs.confirm(runtime, install_id, browser, seal=seal)
    assert installs.confirm(runtime, install_id, browser, seal=seal).id == first.id
    assert set(accounts(runtime).values()) == {first.id}


def test_eight_confirmations_at_once_make_one_connection(
    runtime: Runtime, ada: UserSession, asked_for: Callable[..., UUID]
) -> None:
    install_id = asked_for(ada)
    seal = installs.open_page(runtime, install_id, Browser(session=ada)).seal
    start, made = threading.Barrier(8), []

    def confirm() -> None:
        start.wait()
        made.append(installs.confirm(runtime, install_id, Browser(session=ada), seal=seal).id)

    threads = [threading.Thread(target=confirm) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 8
    assert len(set(made)) == 1


def test_another_list_than_was_shown_changes_nothing(  # noqa: PLR0917 - fixtures, by name
    runtime: Runtime,
    ada: UserSession,
    bob: UserSession,
    asked_for: Callable[..., UUID],
    connect: Connect,
    vendor: FakeVendor,
) -> None:
    install_id = asked_for(ada, "code-0001")
    shown = installs.open_page(runtime, install_id, Browser(session=ada)).seal
    vendor.environments = listing("birch/prod")
    connect(bob, "code-0002")
    with pytest.raises(Conflict):
        installs.confirm(runtime, install_id, Browser(session=ada), seal=shown)
    assert row(runtime, install_id).state is InstallState.PENDING
    seen = installs.open_page(runtime, install_id, Browser(session=ada))
    assert {one.account_key: one.available for one in seen.workspaces} == {"acme": True, "birch": False}
    assert installs.confirm(runtime, install_id, Browser(session=ada), seal=seen.seal).label == "acme"


@pytest.mark.parametrize("seal", ["", "0" * 64, "ünsinn"])
def test_a_made_up_seal_changes_nothing(
    runtime: Runtime, ada: UserSession, asked_for: Callable[..., UUID], seal: str
) -> None:
    with pytest.raises(Conflict):
        installs.confirm(runtime, asked_for(ada), Browser(session=ada), seal=seal)
    assert accounts(runtime) == {}


def test_nobody_else_confirms_it(
    runtime: Runtime,
    ada: UserSession,
    bob: UserSession,
    asked_for: Callable[..., UUID],
    come_back: Callable[..., Received],
) -> None:
    install_id = asked_for(ada)
    seal = installs.open_page(runtime, install_id, Browser(session=ada)).seal
    with pytest.raises(NotFound):
        installs.confirm(runtime, install_id, Browser(session=bob), seal=seal)
    received = come_back("code-0009")
    anonymous = Browser(session=None, candidate=received.new_binding)
    page = installs.open_page(runtime, received.install_id, anonymous)
    with pytest.raises(Forbidden):
        installs.confirm(runtime, received.install_id, anonymous, seal=page.seal)


def test_always_asks_a_proof_even_of_what_was_asked_for(
    runtime: Runtime, ada: UserSession, asked_for: Callable[..., UUID]
) -> None:
    runtime = with_policy(runtime, InstallProof.ALWAYS)
    page = installs.open_page(runtime, asked_for(ada), Browser(session=ada))
    assert page.solicited
    assert page.needs_proof
    with pytest.raises(Conflict):
        installs.confirm(runtime, page.id, Browser(session=ada), seal=page.seal)


def test_off_takes_a_click_for_what_was_not_asked_for(
    runtime: Runtime, ada: UserSession, come_back: Callable[..., Received]
) -> None:
    runtime = with_policy(runtime, InstallProof.OFF)
    page = installs.open_page(runtime, come_back("code-0001", ada).install_id, Browser(session=ada))
    assert page.may_confirm
    assert installs.confirm(runtime, page.id, Browser(session=ada), seal=page.seal)


def with_policy(runtime: Runtime, policy: InstallProof) -> Runtime:
    return replace(runtime, settings=runtime.settings.model_copy(update={"install_proof": policy}))


# Workspaces that somebody holds


def test_a_grant_of_which_everything_is_held_elsewhere_is_refused_and_its_holder_told(
    runtime: Runtime, ada: UserSession, bob: UserSession, asked_for: Callable[..., UUID], connect: Connect
) -> None:
    held = connect(ada)
    install_id = asked_for(bob, "code-0002")
    page = installs.open_page(runtime, install_id, Browser(session=bob))
    assert page.ending is Ending.HELD_ELSEWHERE
    assert row(runtime, install_id).sealed is None
    with runtime.database.read() as session:
        told = session.scalars(select(Notice)).all()
    assert {(one.user_id, one.connection_id) for one in told} == {(ada.user_id, held.id)}
    assert len(told) == 2
    assert not any("bob" in one.text for one in told)
    assert set(accounts(runtime).values()) == {held.id}


def test_two_people_confirming_the_same_workspace_at_once_make_one_holder(
    runtime: Runtime, sign_in: Callable[[str], UserSession], asked_for: Callable[..., UUID]
) -> None:
    people = [sign_in(f"person-{number}") for number in range(6)]
    pages = [
        (who, installs.open_page(runtime, asked_for(who, f"code-000{number}"), Browser(session=who)))
        for number, who in enumerate(people)
    ]
    start, results = threading.Barrier(6), []

    def confirm(who: UserSession, page: installs.Page) -> None:
        start.wait()
        try:
            results.append(installs.confirm(runtime, page.id, Browser(session=who), seal=page.seal).id)
        except Conflict:
            results.append(None)

    threads = [threading.Thread(target=confirm, args=pair) for pair in pages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    won = [result for result in results if result is not None]
    assert len(results) == 6
    assert len(won) == 1
    assert set(accounts(runtime).values()) == set(won)


# One's own connection: renewed, never doubled


def destination_in(runtime: Runtime, name: str) -> UUID:
    workspace, _, environment = name.partition("/")
    with runtime.database.write() as session:
        found = session.scalars(
            select(Environment)
            .join(Account, Account.id == Environment.account_id)
            .where(Account.account_key == workspace, Environment.vendor_key == environment)
        ).one()
        made = destinations.create(session, HITCHPOST, found.id, "baselime.events", {})
        return made.id


def test_a_second_install_of_ones_own_workspaces_renews_the_connection(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, asked_for: Callable[..., UUID], connect: Connect
) -> None:
    first = connect(ada)
    destination_id = destination_in(runtime, "acme/prod")
    vendor.environments = listing("acme/prod", "acme/new", key="other")
    page = installs.open_page(runtime, asked_for(ada, "code-0002"), Browser(session=ada))
    assert page.change is not None
    assert page.change.connection_id == first.id
    assert page.change.added == ("acme/new",)
    assert page.change.kept == ("acme/prod",)
    assert page.change.missing == ("acme/staging", "birch/prod")
    again = installs.confirm(runtime, page.id, Browser(session=ada), seal=page.seal)
    assert again.id == first.id
    with runtime.database.read() as session:
        destination = session.get_one(Destination, destination_id)
        key = session.scalars(
            select(Credential).where(Credential.environment_id == destination.environment_id)
        ).one()
    assert destination.closed_at is None
    assert (destination.hold, key.generation) == (None, 2)


def test_a_reconnect_mends_the_connection_and_keeps_its_destinations_and_cursors(
    runtime: Runtime, ada: UserSession, connect: Connect
) -> None:
    first = connect(ada)
    destination_id = destination_in(runtime, "acme/prod")
    with runtime.database.write() as session:
        session.get_one(Destination, destination_id).filtered = 7
        connections.mark_needs_reconnect(session, first.id, "The vendor says no.")
    again = connect(ada, "code-0002", connection_id=first.id)
    assert (again.id, connections_row(runtime, first.id).state) == (first.id, ConnectionState.ACTIVE)
    with runtime.database.read() as session:
        destination = session.get_one(Destination, destination_id)
    assert (destination.filtered, destination.hold) == (7, None)


def test_a_reconnect_with_another_account_is_refused(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, asked_for: Callable[..., UUID], connect: Connect
) -> None:
    first = connect(ada)
    vendor.environments = listing("cobalt/prod")
    install_id = asked_for(ada, "code-0002", connection_id=first.id)
    page = installs.open_page(runtime, install_id, Browser(session=ada))
    assert page.ending is Ending.OTHER_ACCOUNT
    assert "cobalt" not in accounts(runtime)
    assert connections_row(runtime, first.id).state is ConnectionState.ACTIVE


def test_a_reconnect_of_somebody_elses_connection_is_not_found(
    runtime: Runtime, ada: UserSession, bob: UserSession, asked_for: Callable[..., UUID], connect: Connect
) -> None:
    first = connect(ada)
    with pytest.raises(NotFound):
        asked_for(bob, "code-0002", connection_id=first.id)


def test_workspaces_of_two_own_connections_join_into_the_older_with_their_destinations(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, connect: Connect
) -> None:
    vendor.environments = listing("acme/prod")
    older = connect(ada, "code-0001")
    vendor.environments = listing("birch/prod")
    newer = connect(ada, "code-0002")
    destination_id = destination_in(runtime, "birch/prod")
    vendor.environments = listing("acme/prod", "birch/prod")
    joined = connect(ada, "code-0003")
    assert joined.id == older.id
    assert accounts(runtime) == {"acme": older.id, "birch": older.id}
    assert connections_row(runtime, newer.id).state is ConnectionState.DISCONNECTED
    with runtime.database.read() as session:
        destination = session.get_one(Destination, destination_id)
        keys = session.scalars(
            select(Credential).where(Credential.environment_id == destination.environment_id)
        ).all()
        assert [key.connection_id for key in keys] == [older.id]
        assert credentials.open_parts(runtime.vault, keys[0])["ingest_key"].reveal().startswith("key-canary")
        left = session.scalars(select(Credential).where(Credential.connection_id == newer.id)).all()
        assert [one.sealed for one in left] == [None]
    assert (destination.closed_at, destination.hold) == (None, None)


def test_starting_again_promotes_nothing_and_confirming_the_new_one_forgets_the_old(
    runtime: Runtime, ada: UserSession, come_back: Callable[..., Received], asked_for: Callable[..., UUID]
) -> None:
    old = come_back("code-0001", ada).install_id
    new = asked_for(ada, "code-0002")
    assert row(runtime, old).state is InstallState.PENDING
    assert not row(runtime, old).solicited
    page = installs.open_page(runtime, new, Browser(session=ada))
    installs.confirm(runtime, new, Browser(session=ada), seal=page.seal)
    assert (row(runtime, old).ending, row(runtime, old).sealed) == (Ending.REPLACED, None)


def test_two_grants_for_different_workspaces_are_two_installs(
    runtime: Runtime, vendor: FakeVendor, ada: UserSession, asked_for: Callable[..., UUID], connect: Connect
) -> None:
    vendor.environments = listing("acme/prod")
    waiting = asked_for(ada, "code-0001")
    vendor.environments = listing("birch/prod")
    connect(ada, "code-0002")
    assert row(runtime, waiting).state is InstallState.PENDING


def test_a_paused_connection_stays_paused_through_a_reconnect(
    runtime: Runtime, ada: UserSession, connect: Connect
) -> None:
    first = connect(ada)
    with runtime.database.write() as session:
        connections.pause(session, HITCHPOST, first.id)
    connect(ada, "code-0002", connection_id=first.id)
    assert connections_row(runtime, first.id).state is ConnectionState.PAUSED


# Word to the account's owner


def chosen_environments(runtime: Runtime, *names: str) -> list[UUID]:
    """Make a destination in each; the ids of the environments."""
    made = [destination_in(runtime, name) for name in names]
    with runtime.database.read() as session:
        return [session.get_one(Destination, one).environment_id for one in made]


def test_word_of_the_connection_goes_into_the_chosen_environments_only(
    runtime: Runtime, inbox: FakeHttp, ada: UserSession, connect: Connect
) -> None:
    connection = connect(ada)
    chosen = chosen_environments(runtime, "acme/prod", "acme/staging")[1:]
    assert installs.announce(runtime, connection.id, chosen) == 1
    assert [(key, event["type"]) for key, event in inbox.inbox] == [
        ("key-canary-acme-staging", "hitchpost.connected")
    ]
    assert "ada connected" in inbox.inbox[0][1]["message"]


def test_word_that_does_not_arrive_is_on_the_timeline(
    runtime: Runtime, inbox: FakeHttp, ada: UserSession, connect: Connect
) -> None:
    connection = connect(ada)
    inbox.refused = {"key-canary-acme-staging"}
    chosen = chosen_environments(runtime, "acme/staging")
    assert installs.announce(runtime, connection.id, chosen) == 0
    with runtime.database.read() as session:
        line = session.scalars(select(AuditLine).where(AuditLine.act == "connection.announced")).one()
    assert "did not arrive" in (line.detail or "")
