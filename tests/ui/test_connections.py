"""The pages of connections, destinations and dead letters, asked without a browser."""

import re
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, select

from tests.ui.world import CANARIES, World
from webapp.core import revocation
from webapp.lib.secret import Secret
from webapp.models import (
    AuditLine,
    Connection,
    ConnectionState,
    Credential,
    DeadLetter,
    DeadLetterState,
    Destination,
    Hold,
)


@pytest.fixture
def bob(world: World) -> FlaskClient:
    return world.client("bob")


def address(world: World, rule: str) -> str:
    return world.address(rule)


def text_of(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def state_of(world: World) -> tuple[ConnectionState, Hold | None]:
    with world.runtime.database.read() as session:
        connection = session.scalars(select(Connection)).one()
        destination = session.scalars(select(Destination)).one()
        return connection.state, destination.hold


def act(world: World, client: FlaskClient, rule: str, **form: str) -> int:
    answer = world.post(client, address(world, rule), form)
    return answer.status_code


def test_the_list_and_the_page_show_ages_and_fingerprints_and_no_secret(
    world: World, bob: FlaskClient
) -> None:
    with world.runtime.database.read() as session:
        prints = list(session.scalars(select(Credential.fingerprint)))
    assert "acme" in text_of(bob, "/connections")
    page = text_of(bob, address(world, "/connections/<connection_id>"))
    for fingerprint in prints:
        assert fingerprint in page
    for canary in CANARIES:
        assert canary not in page


def test_a_notice_stands_above_the_list_until_its_reader_puts_it_away(world: World, bob: FlaskClient) -> None:
    assert "Bob was told something." in text_of(bob, "/connections")
    assert "Bob was told something." not in text_of(world.client("dan"), "/connections")
    assert act(world, bob, "/notices/<notice_id>/away") == 303
    assert "Bob was told something." not in text_of(bob, "/connections")


def test_the_curl_line_names_the_user_as_the_api_knows_them(world: World, bob: FlaskClient) -> None:
    page = bob.get(address(world, "/connections/<connection_id>")).text
    assert str(world.users["bob"]) in page
    assert "$HITCHPOST_API_KEY" in page
    assert "hp_" not in page


@pytest.mark.parametrize(
    "query", ["state=nonsense", "sort=nonsense", "provider=nonsense", "search=%00x", "search=" + "y" * 5000]
)
def test_a_filter_that_does_not_exist_filters_nothing_or_finds_nothing(
    world: World, bob: FlaskClient, query: str
) -> None:
    assert bob.get(f"/connections?{query}").status_code == 200


def test_a_mark_that_is_not_ours_is_named(world: World, bob: FlaskClient) -> None:
    for path in ("/connections", "/dead-letters", "/events"):
        answer = bob.get(f"{path}?after=bm9uc2Vuc2U")
        assert answer.status_code == 422
        assert "start at its first page" in answer.text


def test_pause_and_resume(world: World, bob: FlaskClient) -> None:
    assert act(world, bob, "/connections/<connection_id>/pause") == 303
    assert state_of(world) == (ConnectionState.PAUSED, Hold.PAUSED)
    assert act(world, bob, "/connections/<connection_id>/pause") == 409
    assert act(world, bob, "/connections/<connection_id>/resume") == 303
    assert state_of(world) == (ConnectionState.ACTIVE, None)


def test_refresh_and_fetch_make_the_work_due_and_ring(world: World, bob: FlaskClient) -> None:
    assert act(world, bob, "/connections/<connection_id>/refresh") == 303
    assert act(world, bob, "/connections/<connection_id>/environments") == 303
    with world.runtime.database.read() as session:
        connection = session.scalars(select(Connection)).one()
    assert connection.environments_due_at is not None
    assert "being fetched" in text_of(bob, address(world, "/connections/<connection_id>"))


def test_a_disconnect_wipes_every_secret_and_says_what_is_left(world: World, bob: FlaskClient) -> None:
    asked = text_of(bob, address(world, "/connections/<connection_id>/disconnect"))
    assert "1 event still waiting that will not be sent" in asked
    answer = world.post(bob, address(world, "/connections/<connection_id>/disconnect"))
    assert "remove the integration in the Baselime console" in answer.text
    with world.runtime.database.read() as session:
        assert list(session.scalars(select(Credential.sealed).where(Credential.sealed.is_not(None)))) == []
    assert act(world, bob, "/connections/<connection_id>/test") == 409


def test_the_page_says_what_the_vendor_has_still_to_take_back(world: World, bob: FlaskClient) -> None:
    world.post(bob, address(world, "/connections/<connection_id>/disconnect"))
    page = address(world, "/connections/<connection_id>")
    assert "remove the integration in the Baselime console" in text_of(bob, page)
    assert "is asked again" not in text_of(bob, page)
    with world.runtime.database.write() as session:
        connection = session.scalars(select(Connection)).one()
        held = {"refresh_token": Secret(CANARIES[1])}
        revocation.keep(session, world.runtime.vault, connection, [held])
    assert "It is asked again, the last time in 2" in text_of(bob, page)
    assert CANARIES[1] not in text_of(bob, page)


def test_a_destination_is_held_released_and_set(world: World, bob: FlaskClient) -> None:
    rule = "/destinations/<destination_id>"
    assert act(world, bob, f"{rule}/hold") == 303
    assert state_of(world)[1] is Hold.PAUSED
    assert act(world, bob, f"{rule}/release") == 303
    assert (
        act(world, bob, f"{rule}/settings", dataset="web", service="", namespace="", types="deploy*") == 303
    )
    with world.runtime.database.read() as session:
        settings = session.scalars(select(Destination)).one().settings
    assert (settings["dataset"], settings["types"]) == ("web", ["deploy*"])


def test_a_setting_with_a_fault_is_named_at_its_field_and_shown_again(world: World, bob: FlaskClient) -> None:
    path = address(world, "/destinations/<destination_id>/settings")
    answer = world.post(bob, path, {"dataset": "not a name", "types": "*"})
    assert answer.status_code == 422
    assert 'value="not a name"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert ".." not in answer.text


@pytest.mark.parametrize(
    ("since", "status"),
    [("2020-01-01T00:00", 200), ("yesterday", 422), ("0001-01-01T00:00+09:00", 422), ("", 422)],
)
def test_what_a_rewind_sends_again_is_counted_first_and_names_what_is_no_time(
    world: World, bob: FlaskClient, since: str, status: int
) -> None:
    assert act(world, bob, "/destinations/<destination_id>/rewind/count", since=since) == status
    with world.runtime.database.read() as session:
        assert session.scalars(select(Destination.rewound)).one() == 0


def test_a_counted_rewind_is_confirmed_and_says_how_many(world: World, bob: FlaskClient) -> None:
    rule = "/destinations/<destination_id>/rewind"
    counted = world.post(bob, address(world, f"{rule}/count"), {"since": "2020-01-01T00:00"})
    assert 'name="from_seq" value="1"' in counted.text
    assert act(world, bob, rule) == 422, "not counted first"
    assert act(world, bob, rule, from_seq="1") == 303
    with world.runtime.database.read() as session:
        row = session.scalars(select(Destination)).one()
        assert row.rewound >= 1
    assert "sent again" in text_of(bob, address(world, "/destinations/<destination_id>"))


def test_a_fault_in_the_one_form_leaves_the_other_as_it_is_saved(world: World, bob: FlaskClient) -> None:
    rule = "/destinations/<destination_id>"
    act(world, bob, f"{rule}/settings", dataset="web", service="", namespace="", types="deploy*")
    answer = world.post(bob, address(world, f"{rule}/rewind/count"), {"since": "yesterday"})
    assert 'value="web"' in answer.text


def letter_state(world: World) -> DeadLetterState:
    with world.runtime.database.read() as session:
        return session.scalars(select(DeadLetter.state)).one()


def test_a_dead_letter_is_read_and_replayed(world: World, bob: FlaskClient) -> None:
    assert "too large" in text_of(bob, "/dead-letters")
    assert "e1" in text_of(bob, address(world, "/dead-letters/<letter_id>"))
    assert act(world, bob, "/dead-letters/<letter_id>/replay") == 303
    assert letter_state(world) is DeadLetterState.QUEUED


def test_a_dead_letter_is_discarded_and_leaves_the_open_list(world: World, bob: FlaskClient) -> None:
    assert act(world, bob, "/dead-letters/<letter_id>/discard") == 303
    assert letter_state(world) is DeadLetterState.DISCARDED
    assert "No dead letters here" in text_of(bob, "/dead-letters")
    assert "too large" in text_of(bob, "/dead-letters?state=")


def test_an_event_is_found_by_its_id(world: World, bob: FlaskClient) -> None:
    ours = world.things["event_id"]
    assert bob.get(f"/events?event={ours}").headers["Location"].endswith(f"/events/{ours}")
    assert bob.get("/events?event=never-sent").status_code == 404
    assert "waiting" in text_of(bob, f"/events/{ours}")


def test_an_admin_finds_an_event_of_anybody_and_must_say_whose(world: World) -> None:
    alice = world.client("alice")
    assert "bob@example.org" in text_of(alice, "/events")
    assert "deployment" in text_of(alice, "/events?user=bob@example.org")
    assert alice.get("/events?user=nobody").status_code == 404
    answer = alice.get("/events?event=e2")
    assert answer.status_code == 404
    assert "needs the user" in answer.text


def test_the_part_that_polls_stops_once_nothing_can_change(world: World, bob: FlaskClient) -> None:
    path = address(world, "/events/<event_id>/places")
    assert bob.get(path).status_code == 200
    with world.runtime.database.write() as session:
        session.scalars(select(Destination)).one().cursor_seq = 2
    assert bob.get(path).status_code == 286


def test_only_environments_of_this_connection_can_be_chosen(world: World, bob: FlaskClient) -> None:
    path = address(world, "/connections/<connection_id>/forward")
    assert "already" not in text_of(bob, path)
    answer = world.post(bob, path, {"baselime.events:to": str(UUID(int=1))})
    assert answer.status_code == 422
    assert "Check at least one environment" in answer.text


@pytest.mark.parametrize(("begin", "kept"), [("on", 2), ("", 0)])
def test_a_new_destination_begins_with_what_is_kept_if_that_is_wanted(
    world: World, bob: FlaskClient, begin: str, kept: int
) -> None:
    path = address(world, "/connections/<connection_id>/forward")
    environment = address(world, "<environment_id>")
    with world.runtime.database.write() as session:
        session.execute(delete(Destination))
    assert "2 events" in text_of(bob, path)
    form = {
        "baselime.events:to": environment,
        "baselime.events:dataset": "logs",
        "baselime.events:types": "*",
    }
    assert world.post(bob, path, {**form, "baselime.events:backfill": begin}).status_code == 303
    with world.runtime.database.read() as session:
        row = session.scalars(select(Destination)).one()
        assert row.cursor_seq == 2 - kept
        told = session.scalars(select(AuditLine.detail).where(AuditLine.act == "destination.made")).one()
    assert ("2 events that are kept" in told) == bool(kept)
