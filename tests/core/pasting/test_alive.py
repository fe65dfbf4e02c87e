"""What was pasted is kept alive: refreshed by its own clock, verified daily, honest when it is refused."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import select, update

from tests import vendors as stage
from tests.vendors import Vendors, connect
from webapp.core import connections, credentials, destinations, environments, refresh
from webapp.core.audit import HITCHPOST
from webapp.core.handouts import hand_out
from webapp.core.refresh import Outcome
from webapp.core.runtime import Runtime
from webapp.errors import AccessRefused, Conflict
from webapp.lib import clock
from webapp.lib.http import Http, Request, Response
from webapp.lib.ids import uuid7
from webapp.lib.secret import Secret
from webapp.models import (
    Connection,
    ConnectionState,
    Credential,
    CredentialKind,
    Hold,
    Notice,
    UserSession,
)

CHANGE_EVENTS = "last9.change_events"


@pytest.fixture
def last9(runtime: Runtime, ada: UserSession, vendors: Vendors) -> Connection:
    return connect(runtime, ada, "last9", vendors.pasted("last9"))


@pytest.fixture
def librato(runtime: Runtime, ada: UserSession, vendors: Vendors) -> Connection:
    return connect(runtime, ada, "librato", vendors.pasted("librato"))


def credential(runtime: Runtime, connection: Connection) -> Credential:
    with runtime.database.read() as session:
        return session.scalars(select(Credential).where(Credential.connection_id == connection.id)).one()


def parts(runtime: Runtime, connection: Connection) -> dict[str, str]:
    opened = credentials.open_parts(runtime.vault, credential(runtime, connection))
    return {name: part.reveal() for name, part in opened.items()}


def state(runtime: Runtime, connection: Connection) -> ConnectionState:
    with runtime.database.read() as session:
        return session.get_one(Connection, connection.id).state


def age(runtime: Runtime, connection: Connection, **values: Any) -> None:
    """Let time pass for what the connection holds."""
    with runtime.database.write() as session:
        session.execute(
            update(Credential).where(Credential.connection_id == connection.id).values(**values),
            execution_options={"synchronize_session": False},
        )


def test_last9_is_refreshed_by_the_end_that_it_names(
    runtime: Runtime, vendors: Vendors, ada: UserSession
) -> None:
    vendors.call("POST", "/api/settings", {"last9_access_token_seconds": 48 * 3600})
    try:
        connection = connect(runtime, ada, "last9", vendors.pasted("last9"))
        grant = credential(runtime, connection)
        assert grant.refresh_at is not None
        assert timedelta(hours=23) < grant.refresh_at - clock.now() < timedelta(hours=33)
        with runtime.database.write() as session:
            connections.refresh_now(session, HITCHPOST, connection.id)
        assert refresh.sweep(runtime) == 1
    finally:
        vendors.call("POST", "/api/settings", {"last9_access_token_seconds": 24 * 3600})
    after = credential(runtime, connection)
    assert after.generation == grant.generation + 1


def test_an_answer_that_it_is_expired_before_its_time_forces_one_refresh_and_one_retry(
    runtime: Runtime, vendors: Vendors, last9: Connection
) -> None:
    destination_id = stage.forward(runtime, last9.id, CHANGE_EVENTS)
    vendors.fault("last9", "change_events", "expired", times=1)
    before = vendors.count("last9.token.write")
    stage.accept(runtime, "a", "b")
    stage.drain(runtime)
    assert vendors.count("last9.token.write") == before + 1
    assert stage.destination(runtime, destination_id).delivered == 2
    assert [outcome for outcome, _, _ in stage.attempts(runtime, destination_id)] == [
        "key_refused",
        "delivered",
    ]


def test_refused_twice_it_stands_still_until_a_refresh_or_a_paste_mends_it(
    runtime: Runtime, vendors: Vendors, last9: Connection, ada: UserSession
) -> None:
    destination_id = stage.forward(runtime, last9.id, CHANGE_EVENTS)
    vendors.fault("last9", "change_events", "expired")
    stage.accept(runtime, "a")
    stage.drain(runtime)
    assert stage.destination(runtime, destination_id).hold is Hold.KEY_REFUSED
    assert state(runtime, last9) is ConnectionState.DEGRADED
    vendors.mend()
    with runtime.database.write() as session:
        connections.refresh_now(session, HITCHPOST, last9.id)
    refresh.sweep(runtime)
    stage.drain(runtime)
    assert stage.destination(runtime, destination_id).delivered == 1
    assert state(runtime, last9) is ConnectionState.ACTIVE


def test_a_destination_that_a_person_releases_mends_its_connection_by_its_first_delivery(
    runtime: Runtime, vendors: Vendors, last9: Connection
) -> None:
    destination_id = stage.forward(runtime, last9.id, CHANGE_EVENTS)
    vendors.fault("last9", "change_events", "expired")
    stage.accept(runtime, "a")
    stage.drain(runtime)
    vendors.mend()
    with runtime.database.write() as session:
        destinations.release(session, HITCHPOST, destination_id)
    stage.drain(runtime)
    assert stage.destination(runtime, destination_id).delivered == 1
    assert state(runtime, last9) is ConnectionState.ACTIVE


def test_a_revoked_refresh_token_needs_its_owner_and_nobody_blames_a_client_we_do_not_have(
    runtime: Runtime, vendors: Vendors, last9: Connection
) -> None:
    vendors.fault("last9", "token", "revoked")
    grant = credential(runtime, last9)
    assert refresh.refresh_one(runtime, grant.id) is Outcome.REFUSED
    assert state(runtime, last9) is ConnectionState.ACTIVE
    age(runtime, last9, refused_at=clock.now() - timedelta(minutes=6))
    assert refresh.refresh_one(runtime, grant.id) is Outcome.REFUSED
    assert state(runtime, last9) is ConnectionState.NEEDS_RECONNECT
    with runtime.database.read() as session:
        (notice,) = session.scalars(select(Notice))
    assert notice.user_id == last9.user_id


def test_a_rate_limit_at_the_token_endpoint_slows_all_of_last9(
    runtime: Runtime, vendors: Vendors, last9: Connection, bob: UserSession
) -> None:
    other = Connection(
        id=uuid7(),
        user_id=bob.user_id,
        provider="last9",
        client_key=last9.client_key,
        label="other",
        state=ConnectionState.ACTIVE,
        details=dict(last9.details),
    )
    with runtime.database.write() as session:
        session.add(other)
        session.flush()
        made = {name: Secret(text) for name, text in parts(runtime, last9).items()}
        kind = CredentialKind.GRANT
        credentials.add(session, runtime.vault, other.id, kind, made, scope="write", lifetime=3600)
        for connection in (last9, other):
            connections.refresh_now(session, HITCHPOST, connection.id)
    vendors.fault("last9", "token", "rate_limited", retry_after=30)
    before = vendors.count("last9.token.write")
    assert refresh.sweep(runtime) == 1
    assert vendors.count("last9.token.write") == before + 1
    assert {state(runtime, one) for one in (last9, other)} == {ConnectionState.ACTIVE}


class TokenEndpoint:
    """Last9's token endpoint alone: which refresh tokens it takes, and what it gives back."""

    def __init__(self) -> None:
        self.good: dict[str, str | None] = {}
        self.asked: list[str] = []

    def send(self, request: Request) -> Response:
        token = json.loads(request.body)["refresh_token"]
        self.asked.append(token)
        if token not in self.good:
            return Response(status=401, body=b'{"error": "refresh token is revoked"}')
        now = int(clock.now().timestamp())
        answer = {"access_token": f"access-{len(self.asked)}", "type": "Bearer", "issued_at": now}
        answer |= {"expires_at": now + 3600, "refresh_token": self.good[token]}
        return Response(status=200, body=json.dumps(answer).encode())


@pytest.fixture
def endpoint() -> TokenEndpoint:
    return TokenEndpoint()


@pytest.fixture
def beside(runtime: Runtime, endpoint: TokenEndpoint) -> Runtime:
    """The same instance, before that endpoint."""
    return replace(runtime, http=cast("Http", endpoint))


def test_the_pasted_refresh_token_is_kept_and_another_only_tried_when_it_fails(
    beside: Runtime, endpoint: TokenEndpoint, last9: Connection
) -> None:
    pasted = parts(beside, last9)["refresh_token"]
    grant = credential(beside, last9)
    endpoint.good = {pasted: "other", "other": "other"}
    for _ in range(2):
        assert refresh.refresh_one(beside, grant.id) is Outcome.RENEWED
    assert endpoint.asked == [pasted, pasted]
    assert parts(beside, last9)["spare_refresh_token"] == "other"
    del endpoint.good[pasted]
    assert refresh.refresh_one(beside, grant.id) is Outcome.RENEWED
    assert endpoint.asked[2:] == [pasted, "other"]
    assert parts(beside, last9)["refresh_token"] == "other"
    assert "spare_refresh_token" not in parts(beside, last9)
    endpoint.good.clear()
    assert refresh.refresh_one(beside, grant.id) is Outcome.REFUSED


def test_an_answer_without_a_refresh_token_forgets_no_spare_one(
    beside: Runtime, endpoint: TokenEndpoint, last9: Connection
) -> None:
    pasted = parts(beside, last9)["refresh_token"]
    for given in ("other", None, pasted):
        endpoint.good = {pasted: given}
        assert refresh.refresh_one(beside, credential(beside, last9).id) is Outcome.RENEWED
    kept = parts(beside, last9)
    assert (kept["refresh_token"], kept["spare_refresh_token"]) == (pasted, "other")


def test_an_api_token_is_verified_by_the_daily_fetch(
    runtime: Runtime, vendors: Vendors, librato: Connection
) -> None:
    with runtime.database.write() as session:
        connections.refetch_environments(session, HITCHPOST, librato.id)
    assert environments.sweep(runtime) == 1
    assert state(runtime, librato) is ConnectionState.ACTIVE


def test_an_api_token_that_is_refused_twice_minutes_apart_needs_its_owner(
    runtime: Runtime, vendors: Vendors, librato: Connection
) -> None:
    for expected in (ConnectionState.ACTIVE, ConnectionState.NEEDS_RECONNECT):
        vendors.call("POST", "/api/reset")  # forgets the token that was minted
        with pytest.raises(AccessRefused):
            environments.fetch(runtime, librato.id)
        assert state(runtime, librato) is expected
        with runtime.database.read() as session:
            due = session.get_one(Connection, librato.id).environments_due_at
        assert due is not None
        assert due - clock.now() > timedelta(minutes=4)
    with runtime.database.read() as session:
        (notice,) = session.scalars(select(Notice))
    assert notice.user_id == librato.user_id


def test_a_refused_api_token_holds_its_destinations_and_a_new_paste_releases_them(
    runtime: Runtime, vendors: Vendors, librato: Connection, ada: UserSession
) -> None:
    destination_id = stage.forward(runtime, librato.id, "librato.annotations")
    vendors.call("POST", "/api/reset")
    stage.accept(runtime, "a")
    stage.drain(runtime)
    assert stage.destination(runtime, destination_id).hold is Hold.KEY_REFUSED
    assert connect(runtime, ada, "librato", vendors.pasted("librato")).id == librato.id
    assert state(runtime, librato) is ConnectionState.ACTIVE
    stage.drain(runtime)
    assert stage.destination(runtime, destination_id).delivered == 1


@pytest.mark.parametrize(
    "fault", [{"kind": "rate_limited"}, {"kind": "status", "status": 403, "body": {"error": "API limit"}}]
)
def test_a_rate_limit_however_told_breaks_nothing(
    runtime: Runtime, vendors: Vendors, librato: Connection, fault: Mapping[str, Any]
) -> None:
    destination_id = stage.forward(runtime, librato.id, "librato.annotations")
    vendors.fault("librato", "annotations", times=1, **fault)
    stage.accept(runtime, "a")
    stage.drain(runtime)
    row = stage.destination(runtime, destination_id)
    assert (row.hold, row.failures) == (None, 1)
    assert state(runtime, librato) is ConnectionState.ACTIVE
    stage.drain(runtime, hastened=1)
    assert stage.destination(runtime, destination_id).delivered == 1


def test_measurements_pass_over_what_holds_no_number(
    runtime: Runtime, vendors: Vendors, librato: Connection
) -> None:
    destination_id = stage.forward(runtime, librato.id, "librato.measurements", fields="duration")
    stage.accept(runtime, "a", data={"duration": 1.5})
    stage.accept(runtime, "b", "c", data={"note": "none"})
    stage.accept(runtime, "d", data={"duration": 2})
    stage.drain(runtime)
    row = stage.destination(runtime, destination_id)
    assert (row.delivered, row.filtered, row.cursor_seq) == (2, 2, 4)
    assert len(vendors.taken("librato")) == 2


def test_a_stop_whose_start_was_seen_carries_both_times(
    runtime: Runtime, vendors: Vendors, librato: Connection
) -> None:
    stage.forward(runtime, librato.id, "librato.annotations")
    for name, when in (("start", "2026-01-02T12:00:00Z"), ("stop", "2026-01-02T12:05:00Z")):
        stage.accept(runtime, name, subject="api", state=name, time=when)
    stage.drain(runtime)
    last = vendors.taken("librato")[-1]
    assert last["end_time"] - last["start_time"] == 300


def test_an_access_token_is_handed_out_by_its_scope_or_as_the_usual_one(
    runtime: Runtime, last9: Connection
) -> None:
    held = parts(runtime, last9)["access_token"]
    for scope in ("", "write"):
        given = hand_out(runtime, HITCHPOST, last9.id, scope=scope)
        assert given.access_token.reveal() == held
    with pytest.raises(Conflict):
        hand_out(runtime, HITCHPOST, last9.id, scope="delete")
