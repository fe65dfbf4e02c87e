"""From Connect to disconnect at an authorization server that nobody here wrote, which punishes any reuse."""

from collections.abc import Iterator, Mapping
from threading import Barrier, Thread
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from sqlalchemy import select, update

from tests.runtimes import running
from tests.services.oidc import OidcServer
from tests.vendors import confirm, sign_in
from webapp.core import connections, credentials, installs, refresh
from webapp.core.audit import HITCHPOST
from webapp.core.handouts import hand_out
from webapp.core.installs import Answer, Callback
from webapp.core.runtime import Runtime
from webapp.errors import GrantRefused
from webapp.lib.database import db_time
from webapp.lib.secret import Secret
from webapp.models import Connection, ConnectionState, Credential, UserSession
from webapp.providers.base import Refreshes

CLIENTS = ("basic", "post", "public")


@pytest.fixture
def runtime(oidc_server: OidcServer, database_url: str) -> Iterator[Runtime]:
    """It knows the server by each of our Clients there."""
    scopes = "openid email offline_access"
    vendors = {client_id: oidc_server.entry(client_id, scopes=scopes) for client_id in CLIENTS}
    with running(database_url, oauth2=vendors) as made:
        yield made


def answer_of(address: str) -> tuple[Mapping[str, str], Answer]:
    """What the redirect brings."""
    brought = dict(parse_qsl(urlsplit(address).query))
    return brought, Answer(state=Secret(brought["state"]), issuer=brought.get("iss"))


def connect(runtime: Runtime, server: OidcServer, who: UserSession, name: str = "basic") -> Connection:
    """Authorize there and confirm here."""
    begun = installs.ask(runtime, who, runtime.providers[name])
    brought, answer = answer_of(server.agree(begun.address, login=f"ada-{name}"))
    code = Secret(brought["code"])
    received = installs.receive_code(
        runtime, Callback(provider=name, code=code, user_session_id=who.id, answer=answer)
    )
    return confirm(runtime, who, received.install_id)


def parts_of(runtime: Runtime, connection_id: UUID) -> Mapping[str, Secret]:
    """What is held of it."""
    with runtime.database.read() as session:
        row = session.scalars(select(Credential).where(Credential.connection_id == connection_id)).one()
        return credentials.open_parts(runtime.vault, row)


def make_due(runtime: Runtime) -> UUID:
    """Let the one credential be due now."""
    with runtime.database.write() as session:
        session.execute(update(Credential).values(refresh_at=db_time()))
        return session.scalars(select(Credential.id)).one()


def since(server: OidcServer, before: Mapping[str, int], what: str) -> int:
    return server.counts().get(what, 0) - before.get(what, 0)


@pytest.mark.parametrize("name", CLIENTS)
def test_every_kind_of_client_connects_rotates_and_ends(
    runtime: Runtime, oidc_server: OidcServer, name: str
) -> None:
    before = oidc_server.counts()
    connection = connect(runtime, oidc_server, sign_in(runtime), name)
    assert (connection.state, connection.label) == (ConnectionState.ACTIVE, f"ada-{name}@vendor.test")
    seen = {parts_of(runtime, connection.id)["refresh_token"].reveal()}
    for turn in range(1, 7):
        make_due(runtime)
        assert refresh.sweep(runtime) == 1
        seen.add(parts_of(runtime, connection.id)["refresh_token"].reveal())
        assert len(seen) == turn + 1
        access_token = hand_out(runtime, HITCHPOST, connection.id).access_token
        assert oidc_server.is_active(access_token.reveal())
    assert since(oidc_server, before, "refresh_token") == 6
    assert since(oidc_server, before, "grant.revoked") == 0
    held = parts_of(runtime, connection.id)
    connections.disconnect(runtime, HITCHPOST, connection.id)
    assert not any(oidc_server.is_active(one.reveal()) for one in held.values())
    assert since(oidc_server, before, "grant.revoked") == 1


def test_eight_who_refresh_at_once_spend_one_refresh_token(
    runtime: Runtime, oidc_server: OidcServer, database_url: str
) -> None:
    connection = connect(runtime, oidc_server, sign_in(runtime))
    before = oidc_server.counts()
    credential_id, start = make_due(runtime), Barrier(8)

    def turn() -> None:
        start.wait()
        refresh.refresh_one(runtime, credential_id)

    threads = [Thread(target=turn) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refreshes = since(oidc_server, before, "refresh_token")
    make_due(runtime)
    refresh.sweep(runtime)
    assert refreshes >= 1
    assert since(oidc_server, before, "refresh_token") == refreshes + 1
    assert since(oidc_server, before, "invalid_grant") == since(oidc_server, before, "grant.revoked") == 0
    assert oidc_server.is_active(parts_of(runtime, connection.id)["access_token"].reveal())


def test_a_family_that_the_server_ends_needs_its_person(runtime: Runtime, oidc_server: OidcServer) -> None:
    connection = connect(runtime, oidc_server, sign_in(runtime))
    stolen = parts_of(runtime, connection.id)["refresh_token"]
    make_due(runtime)
    refresh.sweep(runtime)
    provider: object = runtime.providers["basic"]
    assert isinstance(provider, Refreshes)
    with pytest.raises(GrantRefused):
        provider.refresh(runtime.http, stolen, scope="", details={})
    make_due(runtime)
    refresh.sweep(runtime)
    with runtime.database.write() as session:
        session.execute(update(Credential).values(refused_at=db_time(-600)))
    make_due(runtime)
    refresh.sweep(runtime)
    with runtime.database.read() as session:
        found = session.get_one(Connection, connection.id)
    assert found.state is ConnectionState.NEEDS_RECONNECT
