"""The forms that credentials are pasted into, and what becomes of them, asked without a browser."""

import re
from collections.abc import Iterator
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from tests.ui.world import World, Worlds
from tests.vendors import Vendors, addresses, connect
from webapp.core import sessions
from webapp.models import (
    Base,
    Connection,
    ConnectionState,
    Destination,
    Install,
    SessionKind,
    UserSession,
)
from webapp.sandbox import serve


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    with serve(port=0) as sandbox:
        yield Vendors(sandbox)


@pytest.fixture
def world(worlds: Worlds, vendors: Vendors) -> Iterator[World]:
    """The vendors are real enough, and as new."""
    vendors.reset()
    with worlds.fresh(**addresses(vendors.urls)) as made:
        yield made


@pytest.fixture
def dan(world: World) -> FlaskClient:
    """Somebody who has connected nothing."""
    return world.client("dan")


def rows(world: World) -> dict[str, int]:
    with world.runtime.database.read() as session:
        return {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def seal(html: str) -> str:
    found = re.search(r'name="seal" value="([0-9a-f]+)"', html)
    assert found
    return found[1]


def say_yes(world: World, client: FlaskClient, address: str) -> str:
    """Confirm what the install's page shows; where that leads."""
    answer = world.post(client, f"{address}/confirm", {"seal": seal(client.get(address).text)})
    assert answer.status_code == 303
    return answer.headers["Location"]


def test_the_vendors_stand_side_by_side_with_what_each_needs_does_and_never_does(dan: FlaskClient) -> None:
    page = dan.get("/connect").text
    assert page.index("Connect Baselime") < page.index("Connect Last9") < page.index("Connect Librato")
    assert page.count("<dt>Needs</dt>") == page.count("<dt>Does</dt>") == page.count("<dt>Never</dt>") == 3


@pytest.mark.parametrize("vendor", ["last9", "librato"])
def test_from_the_form_to_the_choice_of_what_to_forward(
    world: World, vendors: Vendors, dan: FlaskClient, vendor: str
) -> None:
    values = vendors.pasted(vendor)
    answer = world.post(dan, f"/connect/{vendor}", values)
    assert answer.status_code == 303
    address = answer.headers["Location"]
    page = words(dan.get(address).text)
    assert "accepts what you pasted" in page
    assert "Connect this account?" in page
    onward = say_yes(world, dan, address)
    assert onward.endswith("/forward")
    forward = dan.get(onward).text
    environment = re.search(r'type="checkbox" id="([\w.]+)-([0-9a-f-]{36})"', forward)
    assert environment
    assert "receives one event" in forward
    kind, environment_id = environment.groups()
    done = world.post(dan, onward, {f"{kind}:to": environment_id})
    assert done.status_code == 303
    secret = next(value for name, value in values.items() if "token" in name)
    shown = dan.get(done.headers["Location"]).text
    assert not [text for text in (page, forward, shown) if secret in text]
    assert "the connection’s own" in shown
    assert "Paste anew" in shown


BAD = {
    "a read token": ("last9", "refresh_tokens", "needs the write one"),
    "half a token": ("last9", "refresh_tokens", "last part is missing"),
    "another vendor's token": ("last9", "refresh_tokens", "Librato API token"),
    "a host we may not call": ("last9", "base_url", "may not call"),
    "far too much": ("last9", "refresh_tokens", "is longer than"),
    "a token that only looks": ("librato", "api_token", "is View Only"),
    "no token": ("librato", "api_token", "is empty"),
    "a broken e-mail": ("librato", "email", "is not an e-mail address"),
}


def bad_values(name: str, vendors: Vendors) -> dict[str, str]:
    last9, librato = vendors.pasted("last9"), vendors.pasted("librato")
    write = last9["refresh_tokens"]
    return {
        "a read token": vendors.pasted("last9", "read"),
        "half a token": last9 | {"refresh_tokens": write.rpartition(".")[0]},
        "another vendor's token": last9 | {"refresh_tokens": "24f9fb21" * 8},
        "a host we may not call": last9 | {"base_url": "https://last9.attacker.example"},
        "far too much": last9 | {"refresh_tokens": write * 500},
        "a token that only looks": vendors.pasted("librato", "viewer"),
        "no token": librato | {"api_token": " "},
        "a broken e-mail": librato | {"email": "ada at example"},
    }[name]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_paste_is_named_at_its_field_stored_nowhere_and_never_shown_again(
    world: World, vendors: Vendors, dan: FlaskClient, name: str
) -> None:
    vendor, where, told = BAD[name]
    values = bad_values(name, vendors)
    before = rows(world)
    answer = world.post(dan, f"/connect/{vendor}", values)
    assert answer.status_code == 422
    fault = re.search(rf'id="{where}-fault">(.*?)</div>', answer.text)
    assert fault
    assert told in words(fault[1])
    assert rows(world) == before
    for field, value in values.items():
        if "token" in field and value.strip():
            assert value[:60] not in answer.text
    if vendor == "librato":
        assert f'value="{values["email"]}"' in answer.text


def test_a_flag_that_was_unset_stays_unset_after_an_error(
    world: World, vendors: Vendors, dan: FlaskClient
) -> None:
    values = vendors.pasted("librato", "viewer")
    del values["mint"]
    answer = world.post(dan, "/connect/librato", values)
    assert answer.status_code == 422
    assert not re.search(r'id="mint"[^>]* checked', answer.text)
    assert re.search(r'id="mint"[^>]* checked', dan.get("/connect/librato").text)


def test_a_vendor_that_does_not_answer_is_said_to_and_nothing_is_stored(
    world: World, vendors: Vendors, dan: FlaskClient
) -> None:
    vendors.fault("librato", "*", "status", status=503)
    before = rows(world)
    answer = world.post(dan, "/connect/librato", vendors.pasted("librato"))
    assert answer.status_code == 503
    assert "Nothing was stored" in answer.text
    assert rows(world) == before


def test_a_reconnect_leads_to_the_form_and_renews_the_same_connection(
    world: World, vendors: Vendors, dan: FlaskClient
) -> None:
    first = held(world, vendors, "last9")
    answer = world.post(dan, f"/connect/last9/reconnect/{first.id}")
    form = answer.headers["Location"]
    assert "Reconnect Last9" in dan.get(form).text
    install = world.post(dan, form, vendors.pasted("last9")).headers["Location"]
    assert str(first.id) in say_yes(world, dan, install)
    assert world.post(world.client("bob"), form, vendors.pasted("last9")).status_code == 404


def held(world: World, vendors: Vendors, vendor: str) -> Connection:
    """A connection of dan's."""
    return connect(world.runtime, session_of(world), vendor, vendors.pasted(vendor))


def session_of(world: World) -> UserSession:
    """Another session of dan's."""
    with world.runtime.database.write() as session:
        cookie = sessions.open(session, world.users["dan"], SessionKind.LOGIN)
        session.flush()
        found = sessions.find(session, cookie)
        assert found is not None
        return found


def test_data_sources_of_the_account_are_offered_and_others_may_be_typed(
    world: World, vendors: Vendors, dan: FlaskClient
) -> None:
    connection = held(world, vendors, "last9")
    page = dan.get(f"/connections/{connection.id}/forward").text
    assert 'list="last9.change_events:data_source_name-offers"' in page
    assert '<option value="sandbox-archive">' in page
    box = re.search(r'id="last9.change_events-([0-9a-f-]{36})"', page)
    assert box
    values = {"last9.change_events:to": box[1], "last9.change_events:data_source_name": "gone-by-now"}
    assert world.post(dan, f"/connections/{connection.id}/forward", values).status_code == 303
    with world.runtime.database.read() as session:
        destination = session.scalars(
            select(Destination).where(Destination.kind == "last9.change_events")
        ).one()
    assert destination.settings["data_source_name"] == "gone-by-now"
    assert '<option value="sandbox-metrics">' in dan.get(f"/destinations/{destination.id}").text


def test_a_disconnect_names_the_token_we_made(world: World, vendors: Vendors, dan: FlaskClient) -> None:
    connection = held(world, vendors, "librato")
    (number,) = vendors.minted()
    path = f"/connections/{connection.id}/disconnect"
    assert f"(number {number})" in dan.get(path).text
    answer = world.post(dan, path)
    assert f"(number {number})" in answer.text
    assert "Delete the API token at Librato" in answer.text
    assert vendors.minted() == [number]


def test_with_a_full_token_for_the_moment_it_is_deleted(
    world: World, vendors: Vendors, dan: FlaskClient
) -> None:
    connection = held(world, vendors, "librato")
    full = vendors.pasted("librato")["api_token"]
    answer = world.post(dan, f"/connections/{connection.id}/disconnect", {"full_token": full})
    assert answer.status_code == 200
    assert "One thing is left" not in answer.text
    assert vendors.minted() == []
    assert full not in answer.text
    assert state(world, connection.id) is ConnectionState.DISCONNECTED


@pytest.mark.parametrize(("role", "told"), [("recorder", "was refused by Librato"), ("", "too short")])
def test_a_token_that_cannot_delete_it_changes_nothing(
    world: World, vendors: Vendors, dan: FlaskClient, role: str, told: str
) -> None:
    connection = held(world, vendors, "librato")
    given = vendors.pasted("librato", role)["api_token"] if role else "abc"
    answer = world.post(dan, f"/connections/{connection.id}/disconnect", {"full_token": given})
    assert answer.status_code == 422
    assert told in answer.text
    assert f'value="{given}"' not in answer.text
    assert state(world, connection.id) is ConnectionState.ACTIVE
    assert len(vendors.minted()) == 1


def test_a_librato_that_does_not_answer_changes_nothing_either(
    world: World, vendors: Vendors, dan: FlaskClient
) -> None:
    connection = held(world, vendors, "librato")
    vendors.fault("librato", "api_tokens", "status", status=503)
    full = vendors.pasted("librato")["api_token"]
    answer = world.post(dan, f"/connections/{connection.id}/disconnect", {"full_token": full})
    assert answer.status_code == 503
    assert state(world, connection.id) is ConnectionState.ACTIVE


def state(world: World, connection_id: UUID) -> ConnectionState:
    with world.runtime.database.read() as session:
        return session.get_one(Connection, connection_id).state


def test_somebody_in_a_connect_session_pastes_too(world: World, vendors: Vendors) -> None:
    carol = world.client("carol", SessionKind.CONNECT)
    answer = world.post(carol, "/connect/last9", vendors.pasted("last9"))
    assert answer.status_code == 303
    with world.runtime.database.read() as session:
        owners = session.scalars(select(Install.user_id).where(Install.provider == "last9")).all()
    assert owners == [world.users["carol"]]
