"""What is pasted is checked with the vendor, held inert, shown, and kept only when its owner says yes."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tests import vendors as stage
from tests.vendors import Vendors, confirm, connect
from webapp.core import credentials, installs
from webapp.core.installs import Browser, Ending
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, Invalid, NotFound, VendorUnavailable
from webapp.models import (
    Account,
    AuditLine,
    Base,
    Connection,
    ConnectionState,
    Credential,
    Environment,
    Install,
    InstallState,
    UserSession,
)

PASTED = ("last9", "librato")
#: for what asks nothing special of a database
on_sqlite = pytest.mark.parametrize("tables_url", ["sqlite"], indirect=True)


def rows(runtime: Runtime) -> dict[str, int]:
    """How many rows each table has."""
    with runtime.database.read() as session:
        return {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }


def install_of(runtime: Runtime, install_id: UUID) -> Install:
    with runtime.database.read() as session:
        return session.get_one(Install, install_id)


def kept(runtime: Runtime, connection: Connection) -> dict[tuple[str, str], dict[str, str]]:
    """What is sealed of a connection, by kind and scope."""
    with runtime.database.read() as session:
        found = session.scalars(select(Credential).where(Credential.connection_id == connection.id))
        return {
            (one.kind.value, one.scope): {
                name: part.reveal() for name, part in credentials.open_parts(runtime.vault, one).items()
            }
            for one in found
        }


@pytest.mark.parametrize("vendor", PASTED)
def test_a_paste_waits_sealed_and_inert_until_its_owner_says_yes(
    runtime: Runtime, vendors: Vendors, ada: UserSession, vendor: str
) -> None:
    install_id = installs.paste(runtime, ada, vendor, vendors.pasted(vendor))
    install = install_of(runtime, install_id)
    assert (install.state, install.user_id, install.session_id) == (
        InstallState.PENDING,
        ada.user_id,
        ada.id,
    )
    assert install.sealed is not None
    counted = rows(runtime)
    assert [counted[name] for name in ("connections", "accounts", "environments", "credentials")] == [0] * 4
    page = installs.open_page(runtime, install_id, Browser(session=ada))
    assert page.may_confirm
    assert not page.needs_proof
    assert page.findings
    connection = confirm(runtime, ada, install_id)
    assert connection.state is ConnectionState.ACTIVE
    assert install_of(runtime, install_id).sealed is None
    assert connection.environments_due_at is not None


@on_sqlite
def test_only_the_write_scope_of_a_last9_triple_is_kept(
    runtime: Runtime, vendors: Vendors, ada: UserSession
) -> None:
    tokens = vendors.accounts("last9")["tokens"]
    install_id = installs.paste(runtime, ada, "last9", {"refresh_tokens": "\n".join(tokens.values())})
    findings = " ".join(installs.open_page(runtime, install_id, Browser(session=ada)).findings)
    for told in ("Kept: write", "Dropped: read", "Dropped: delete", "sandbox-metrics"):
        assert told in findings
    connection = confirm(runtime, ada, install_id)
    assert list(kept(runtime, connection)) == [("grant", "write")]
    assert kept(runtime, connection)["grant", "write"]["refresh_token"] == tokens["write"]
    assert connection.details["data_sources"] == ["sandbox-metrics", "sandbox-archive"]


@on_sqlite
def test_scopes_that_the_operator_asks_for_are_kept_each_on_its_own(
    tables_url: str, vendors: Vendors
) -> None:
    tokens = vendors.accounts("last9")["tokens"]
    with stage.running_beside(vendors, tables_url, last9_scopes=("write", "read")) as runtime:
        ada = stage.sign_in(runtime)
        connection = connect(runtime, ada, "last9", {"refresh_tokens": "\n".join(tokens.values())})
        assert set(kept(runtime, connection)) == {("grant", "write"), ("grant", "read")}


def test_a_full_access_token_becomes_a_weaker_one_of_our_own(
    runtime: Runtime, vendors: Vendors, ada: UserSession
) -> None:
    connection = connect(runtime, ada, "librato", vendors.pasted("librato"))
    own = kept(runtime, connection)["api_token", ""]["api_token"]
    given = vendors.accounts("librato")["tokens"]
    assert own not in given.values()
    assert (connection.details["role"], connection.details["token_name"]) == (
        "recorder",
        "Hitchpost 127.0.0.1:8000",
    )
    assert connection.details["token_id"].isdecimal()


@on_sqlite
@pytest.mark.parametrize(("role", "mint"), [("admin", ""), ("recorder", "on")])
def test_a_token_is_kept_as_it_is_when_it_is_weak_or_its_owner_says_so(
    runtime: Runtime, vendors: Vendors, ada: UserSession, role: str, mint: str
) -> None:
    values = vendors.pasted("librato", role) | {"mint": mint}
    install_id = installs.paste(runtime, ada, "librato", values)
    told = {"admin": "Full Access", "recorder": "Record Only"}[role]
    assert told in " ".join(install_of(runtime, install_id).findings or ())
    connection = confirm(runtime, ada, install_id)
    assert kept(runtime, connection)["api_token", ""]["api_token"] == values["api_token"]
    assert vendors.count("librato.api_tokens") <= 1


def test_confirming_twice_and_at_once_mints_one_token(
    runtime: Runtime, vendors: Vendors, ada: UserSession
) -> None:
    install_id = installs.paste(runtime, ada, "librato", vendors.pasted("librato"))
    before = len(vendors.minted())
    page = installs.open_page(runtime, install_id, Browser(session=ada))
    start = threading.Barrier(4)
    results: list[UUID | None] = []

    def say_yes() -> None:
        start.wait()
        try:
            results.append(installs.confirm(runtime, install_id, Browser(session=ada), seal=page.seal).id)
        except Conflict:
            results.append(None)

    threads = [threading.Thread(target=say_yes) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == 4
    assert len(set(results) - {None}) == 1
    again = installs.confirm(runtime, install_id, Browser(session=ada), seal=page.seal)
    assert again.id in results
    assert len(vendors.minted()) == before + 1


def test_a_token_that_was_minted_is_not_minted_again_when_linking_fails_behind_it(
    runtime: Runtime, vendors: Vendors, ada: UserSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_id = installs.paste(runtime, ada, "librato", vendors.pasted("librato"))
    with monkeypatch.context() as broken:
        broken.setattr("webapp.core.environments.apply", _refuse)
        with pytest.raises(Conflict):
            confirm(runtime, ada, install_id)
    assert len(vendors.minted()) == 1
    confirm(runtime, ada, install_id)
    assert len(vendors.minted()) == 1


def _refuse(*_: object) -> None:
    raise Conflict


@on_sqlite
def test_when_minting_fails_nothing_is_connected_and_the_paste_waits(
    runtime: Runtime, vendors: Vendors, ada: UserSession
) -> None:
    install_id = installs.paste(runtime, ada, "librato", vendors.pasted("librato"))
    vendors.fault("librato", "api_tokens", "status", status=503)
    with pytest.raises(VendorUnavailable):
        confirm(runtime, ada, install_id)
    assert rows(runtime)["connections"] == 0
    assert install_of(runtime, install_id).state is InstallState.PENDING
    vendors.mend()
    assert confirm(runtime, ada, install_id).details["role"] == "recorder"


BAD: dict[str, tuple[str, Callable[[Any], dict[str, str]], str, str]] = {
    "nothing": ("last9", lambda _: {"refresh_tokens": ""}, "refresh_tokens", "is empty"),
    "a read token": (
        "last9",
        lambda account: {"refresh_tokens": account["tokens"]["read"]},
        "refresh_tokens",
        "needs the write one",
    ),
    "another organization in the address": (
        "last9",
        lambda account: {
            "refresh_tokens": account["tokens"]["write"],
            "base_url": "https://app.last9.io/api/v4/organizations/other",
        },
        "base_url",
        "",
    ),
    "a host that is not allowed": (
        "last9",
        lambda account: {
            "refresh_tokens": account["tokens"]["write"],
            "base_url": "https://last9.io.attacker.example",
        },
        "base_url",
        "may not call",
    ),
    "a wrong e-mail": (
        "librato",
        lambda account: {"email": "eve@sandbox.example", "api_token": account["tokens"]["admin"]},
        "api_token",
        "was refused by Librato",
    ),
    "no e-mail at all": (
        "librato",
        lambda account: {"email": "ada", "api_token": account["tokens"]["admin"]},
        "email",
        "is not an e-mail address",
    ),
    "a token that only looks": (
        "librato",
        lambda account: {"email": account["email"], "api_token": account["tokens"]["viewer"]},
        "api_token",
        "is View Only",
    ),
    "a token of nobody": (
        "librato",
        lambda account: {"email": account["email"], "api_token": "0" * 64},
        "api_token",
        "was refused by Librato",
    ),
}


@on_sqlite
@pytest.mark.parametrize("name", BAD)
def test_of_a_bad_paste_nothing_is_stored_and_it_is_named_at_its_field(
    runtime: Runtime, vendors: Vendors, ada: UserSession, name: str
) -> None:
    vendor, make, where, words = BAD[name]
    values = make(vendors.accounts(vendor))
    before = rows(runtime)
    with pytest.raises(Invalid) as caught:
        installs.paste(runtime, ada, vendor, values)
    (fault,) = caught.value.faults
    assert fault.where == where
    assert words in fault.what
    assert rows(runtime) == before
    secret = values.get("refresh_tokens") or values.get("api_token")
    assert not secret or secret not in str(caught.value)


@on_sqlite
@pytest.mark.parametrize("vendor", PASTED)
def test_a_vendor_that_does_not_answer_leaves_nothing_behind(
    runtime: Runtime, vendors: Vendors, ada: UserSession, vendor: str
) -> None:
    vendors.fault(vendor, "*", "status", status=503)
    before = rows(runtime)
    with pytest.raises(VendorUnavailable):
        installs.paste(runtime, ada, vendor, vendors.pasted(vendor))
    assert rows(runtime) == before


def test_the_same_account_of_somebody_else_is_not_available(
    runtime: Runtime, vendors: Vendors, ada: UserSession, bob: UserSession
) -> None:
    held = connect(runtime, ada, "last9", vendors.pasted("last9"))
    install_id = installs.paste(runtime, bob, "last9", vendors.pasted("last9"))
    page = installs.open_page(runtime, install_id, Browser(session=bob))
    assert page.ending is Ending.HELD_ELSEWHERE
    assert install_of(runtime, install_id).sealed is None
    with runtime.database.read() as session:
        assert session.scalars(select(Account.connection_id)).all() == [held.id]


def test_pasting_anew_renews_the_connection_with_its_destinations(
    runtime: Runtime, vendors: Vendors, ada: UserSession
) -> None:
    first = connect(runtime, ada, "last9", vendors.pasted("last9"))
    destination_id = stage.forward(runtime, first.id, "last9.change_events")
    vendors.call("POST", "/api/accounts/last9/revoke", {"scope": "write"})
    again = installs.paste(runtime, ada, "last9", vendors.pasted("last9"), connection_id=first.id)
    page = installs.open_page(runtime, again, Browser(session=ada))
    assert page.change is not None
    assert page.change.connection_id == first.id
    assert confirm(runtime, ada, again).id == first.id
    stage.accept(runtime, "a")
    stage.drain(runtime)
    assert stage.destination(runtime, destination_id).delivered == 1


@on_sqlite
def test_nobody_else_may_look_at_or_renew_it(
    runtime: Runtime, vendors: Vendors, ada: UserSession, bob: UserSession
) -> None:
    install_id = installs.paste(runtime, ada, "last9", vendors.pasted("last9"))
    with pytest.raises(NotFound):
        installs.open_page(runtime, install_id, Browser(session=bob))
    connection = confirm(runtime, ada, install_id)
    with pytest.raises(NotFound):
        installs.paste(runtime, bob, "last9", vendors.pasted("last9"), connection_id=connection.id)
    with pytest.raises(Conflict):
        installs.paste(runtime, ada, "librato", vendors.pasted("librato"), connection_id=connection.id)


@on_sqlite
def test_baselime_has_no_form(runtime: Runtime, ada: UserSession) -> None:
    with pytest.raises(Conflict):
        installs.paste(runtime, ada, "baselime", {})


@on_sqlite
def test_cancelled_is_forgotten(runtime: Runtime, vendors: Vendors, ada: UserSession) -> None:
    install_id = installs.paste(runtime, ada, "librato", vendors.pasted("librato"))
    with runtime.database.write() as session:
        installs.cancel(session, install_id, Browser(session=ada))
    assert install_of(runtime, install_id).sealed is None
    assert vendors.minted() == []


def test_no_secret_is_in_the_database_or_on_a_timeline(
    runtime: Runtime, vendors: Vendors, ada: UserSession
) -> None:
    pastes = {vendor: vendors.pasted(vendor) for vendor in PASTED}
    for vendor, values in pastes.items():
        connect(runtime, ada, vendor, values)
    given = {pastes["last9"]["refresh_tokens"], pastes["librato"]["api_token"]}
    with runtime.database.read() as session:
        everything = " ".join(
            str(row) for table in Base.metadata.tables.values() for row in session.execute(select(table))
        )
        assert session.scalar(select(func.count()).select_from(AuditLine))
        assert session.scalar(select(func.count()).select_from(Environment)) == 2
    assert not [secret for secret in given if secret in everything]
    assert "sandbox-read-password" not in everything
