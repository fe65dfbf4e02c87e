"""Events go to a standard vendor with the connection's own access token; a vendor may leave the settings."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import update

from tests.authorization_servers import EVENTS_URL, Servers, entry, running_with
from tests.vendors import accept, attempts, confirm, destination, drain, forward, sign_in
from webapp.core import connections, installs, refresh
from webapp.core.audit import HITCHPOST
from webapp.core.installs import Answer, Callback
from webapp.core.runtime import Runtime
from webapp.lib.database import db_time
from webapp.lib.secret import Secret
from webapp.models import Connection, ConnectionState, Credential, Hold

NORTH = "https://north.vendor.test"


@pytest.fixture
def servers() -> Servers:
    return Servers(NORTH)


@pytest.fixture
def runtime(tables_url: str, servers: Servers) -> Iterator[Runtime]:
    """One standard vendor that takes events."""
    with running_with(servers, {"north": entry(NORTH, events_url=EVENTS_URL)}, tables_url) as made:
        yield made


@pytest.fixture
def connection(runtime: Runtime, servers: Servers) -> Connection:
    """Ada's account there."""
    who = sign_in(runtime)
    address = installs.ask(runtime, who, runtime.providers["north"]).address
    brought = servers[NORTH].agree(address)
    assert dict(parse_qsl(urlsplit(address).query))["state"] == brought["state"]
    answer = Answer(state=Secret(brought["state"]), issuer=brought["iss"])
    code = Secret(brought["code"])
    callback = Callback(provider="north", code=code, user_session_id=who.id, answer=answer)
    return confirm(runtime, who, installs.receive_code(runtime, callback).install_id)


def ids(servers: Servers) -> list[str]:
    return [event["id"] for _, batch in servers.inbox for event in batch if event["source"] == "ci"]


def test_events_arrive_in_order_as_batches_with_the_access_token(
    runtime: Runtime, servers: Servers, connection: Connection
) -> None:
    made = forward(runtime, connection.id, "north.cloudevents")
    accept(runtime, "e-1", "e-2", "e-3")
    drain(runtime)
    assert ids(servers) == ["e-1", "e-2", "e-3"]
    assert {access_token for access_token, _ in servers.inbox} == {"access-canary-1"}
    assert destination(runtime, made).hold is None


def test_an_access_token_that_ended_early_is_renewed_once_and_nothing_is_lost(
    runtime: Runtime, servers: Servers, connection: Connection
) -> None:
    forward(runtime, connection.id, "north.cloudevents")
    servers[NORTH].live.discard("access-canary-1")
    accept(runtime, "e-1")
    drain(runtime)
    assert ids(servers) == ["e-1"]
    assert servers[NORTH].counts["/token"] == 2
    assert servers[NORTH].counts["families ended"] == 0


def test_an_account_that_takes_no_access_token_of_ours_holds_its_destination_alone(
    runtime: Runtime, servers: Servers, connection: Connection
) -> None:
    made = forward(runtime, connection.id, "north.cloudevents")
    servers[NORTH].live.clear()
    accept(runtime, "e-1")
    drain(runtime)
    assert destination(runtime, made).hold is Hold.KEY_REFUSED
    assert servers[NORTH].counts["/token"] == 2
    assert [outcome for outcome, *_ in attempts(runtime, made)]
    assert ids(servers) == []


def test_a_vendor_that_left_the_settings_keeps_its_connections_and_can_be_disconnected(
    runtime: Runtime, connection: Connection
) -> None:
    others = {name: one for name, one in runtime.providers.items() if name != "north"}
    without = replace(runtime, providers=others)
    with runtime.database.write() as session:
        session.execute(update(Credential).values(refresh_at=db_time()))
    refresh.sweep(without)
    with runtime.database.read() as session:
        found = session.get_one(Connection, connection.id)
    assert found.state is not ConnectionState.NEEDS_RECONNECT
    connections.disconnect(without, HITCHPOST, connection.id)
    with runtime.database.read() as session:
        assert session.get_one(Connection, connection.id).state is ConnectionState.DISCONNECTED
