"""Every class of answer to a refresh has its one action."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.core.refresh.conftest import notices
from tests.fake_vendor import FakeVendor
from webapp.core import credentials, refresh
from webapp.core.refresh import Outcome
from webapp.core.runtime import Runtime
from webapp.errors import (
    GrantRefused,
    VendorAnswerInvalid,
    VendorError,
    VendorUnavailable,
)
from webapp.lib import clock
from webapp.lib.secret import Secret
from webapp.models import AuditLine, Breaker, Connection, ConnectionState, Credential, CredentialKind

Look = Callable[[UUID], tuple[Credential, Connection]]
Make = Callable[[str], Credential]

NAMED = GrantRefused("revoked", status=400, code="invalid_grant")


def plain(runtime: Runtime, credential: Credential) -> dict[str, str]:
    return {name: part.reveal() for name, part in credentials.open_parts(runtime.vault, credential).items()}


def test_a_grant_is_sealed_under_a_new_generation_and_the_refresh_token_kept(
    runtime: Runtime, grant_of: Make, look: Look
) -> None:
    before = grant_of("one")
    assert refresh.sweep(runtime) == 1
    after, connection = look(before.id)
    assert plain(runtime, after) == {
        "access_token": "access-canary-r1",
        "refresh_token": "refresh-canary-one",
    }
    assert after.generation == before.generation + 1
    assert (after.lease, after.failures, after.words) == (None, 0, None)
    assert after.refresh_at is not None
    assert timedelta(hours=11.9) < after.refresh_at - clock.now() < timedelta(hours=16.1)
    assert connection.state is ConnectionState.ACTIVE
    assert refresh.sweep(runtime) == 0


def test_refresh_after_refresh_with_rotating_tokens_loses_none(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, age: Callable[..., None]
) -> None:
    vendor.rotates = True
    made = grant_of("one")
    cycles = 200 if runtime.database.is_sqlite else 40
    for _ in range(cycles):
        age(made.id)
        assert refresh.sweep(runtime) == 1
    after, _ = look(made.id)
    assert after.generation == cycles + 1
    assert not vendor.counts["families revoked"]
    assert plain(runtime, after)["refresh_token"] == f"refresh-canary-one.{cycles}"


@pytest.mark.parametrize(
    ("fault", "base"),
    [
        (VendorUnavailable("no connection could be made", sent=False), 30.0),
        (VendorUnavailable("answered 500", status=500), 30.0),
        (VendorUnavailable("answered 302", status=302), 30.0),
        (VendorUnavailable("answered 404", status=404), 30.0),
        # The answer may be lost on its way here: a spent refresh token is often taken for some seconds more.
        (VendorUnavailable("no answer in time"), 5.0),
        (VendorUnavailable("answered with a web page", status=502), 5.0),
        (VendorAnswerInvalid("the token answer is not a JSON object", status=200), 5.0),
    ],
)
def test_what_is_no_answer_leaves_the_secret_untouched_and_comes_again(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, *, fault: VendorError, base: float
) -> None:
    before, began = grant_of("one"), clock.now()
    vendor.refresh_faults = [fault]
    refresh.sweep(runtime)
    after, connection = look(before.id)
    kept = ("sealed", "generation", "key_id", "fingerprint", "expires_at", "issued_at", "refused_at")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert (after.failures, after.lease, after.words) == (1, None, str(fault))
    assert after.refresh_at is not None
    assert after.refresh_at - began > timedelta(seconds=base / 10)
    assert after.refresh_at - clock.now() <= timedelta(seconds=base)
    assert connection.state is ConnectionState.ACTIVE
    assert notices(runtime) == []


def test_an_answer_that_trips_our_own_code_backs_off_and_keeps_nobody_else_from_a_refresh(
    runtime: Runtime, vendor: FakeVendor, grants_of: Callable[..., list[Credential]], look: Look
) -> None:
    made = grants_of("one", "two")
    vendor.refresh_faults = [OverflowError("a secret-canary in its words")]
    assert refresh.sweep(runtime) == 2
    after = [look(one.id)[0] for one in made]
    assert sorted(one.failures for one in after) == [0, 1]
    (tripped,) = (one for one in after if one.failures)
    assert tripped.words == "our own code failed at it (OverflowError)"


def test_waits_grow_to_a_quarter_of_an_hour_while_the_token_lives_and_an_hour_after(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, age: Callable[..., None]
) -> None:
    made = grant_of("one")
    waits = []
    vendor.refresh_faults = [VendorUnavailable("answered 500", status=500) for _ in range(40)]
    for _ in range(20):
        age(made.id)
        refresh.sweep(runtime)
        credential, _ = look(made.id)
        assert credential.refresh_at is not None
        waits.append((credential.refresh_at - clock.now()).total_seconds())
    assert max(waits) <= 900
    age(made.id, 86_401)
    refresh.sweep(runtime)
    credential, connection = look(made.id)
    assert credential.refresh_at is not None
    assert (credential.refresh_at - clock.now()).total_seconds() <= 3600
    assert connection.state is ConnectionState.DEGRADED


def test_a_day_without_the_vendor_breaks_nothing_and_mends_by_itself(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, age: Callable[..., None]
) -> None:
    made = grant_of("one")
    vendor.refresh_faults = [VendorUnavailable("no answer", sent=False) for _ in range(3)]
    for _ in range(3):
        age(made.id, 36_000)
        refresh.sweep(runtime)
    assert look(made.id)[1].state is ConnectionState.DEGRADED
    age(made.id)
    refresh.sweep(runtime)
    _, connection = look(made.id)
    assert (connection.state, connection.reason) == (ConnectionState.ACTIVE, None)


def test_a_first_refusal_is_asked_again_minutes_later_and_blames_nobody(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look
) -> None:
    made = grant_of("one")
    vendor.refresh_faults = [NAMED]
    refresh.sweep(runtime)
    credential, connection = look(made.id)
    assert credential.refresh_at is not None
    assert timedelta(minutes=4.9) < credential.refresh_at - clock.now() < timedelta(minutes=6.1)
    assert connection.state is ConnectionState.ACTIVE
    assert notices(runtime) == []


def test_a_refusal_that_is_not_repeated_is_forgotten(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, age: Callable[..., None]
) -> None:
    made = grant_of("one")
    vendor.refresh_faults = [NAMED]
    refresh.sweep(runtime)
    age(made.id, 301)
    refresh.sweep(runtime)
    credential, connection = look(made.id)
    assert (credential.refused_at, credential.failures) == (None, 0)
    assert connection.state is ConnectionState.ACTIVE


def test_asking_again_at_once_confirms_nothing(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, age: Callable[..., None]
) -> None:
    made = grant_of("one")
    vendor.refresh_faults = [NAMED, NAMED]
    refresh.sweep(runtime)
    age(made.id, 60)
    refresh.sweep(runtime)
    assert look(made.id)[1].state is ConnectionState.ACTIVE


def test_a_refusal_that_names_the_grant_and_is_repeated_needs_a_reconnect(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, age: Callable[..., None]
) -> None:
    made = grant_of("one")
    vendor.refresh_faults = [NAMED, NAMED]
    refresh.sweep(runtime)
    age(made.id, 301)
    refresh.sweep(runtime)
    credential, connection = look(made.id)
    assert connection.state is ConnectionState.NEEDS_RECONNECT
    assert connection.reason is not None
    assert "revoked" in connection.reason
    assert credential.sealed == made.sealed
    assert [(one.kind, one.user_id) for one in notices(runtime)] == [("needs_reconnect", connection.user_id)]
    assert credential.refresh_at is not None
    assert timedelta(hours=23) < credential.refresh_at - clock.now() < timedelta(hours=25)


@pytest.mark.parametrize("has_key", [True, False])
def test_who_is_to_reconnect_is_told_what_becomes_of_the_events(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, age: Callable[..., None], *, has_key: bool
) -> None:
    made = grant_of("one")
    if has_key:
        with runtime.database.write() as session:
            parts = {"key": Secret("ingest-canary")}
            credentials.add(session, runtime.vault, made.connection_id, CredentialKind.INGEST_KEY, parts)
    vendor.refresh_faults = [NAMED, NAMED]
    refresh.sweep(runtime)
    age(made.id, 301)
    refresh.sweep(runtime)
    (told,) = notices(runtime)
    assert ("still go out" in told.text) == has_key
    assert ("wait here" in told.text) != has_key


def test_a_grant_is_asked_about_daily_for_a_month_and_mends_if_the_vendor_says_yes(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, age: Callable[..., None]
) -> None:
    made, other = grant_of("one"), grant_of("other")
    vendor.refresh_faults = [NAMED, NAMED]
    refresh.refresh_one(runtime, made.id)
    age(made.id, 301)
    refresh.refresh_one(runtime, made.id)
    age(made.id, 86_400)
    refresh.refresh_one(runtime, made.id)
    assert look(made.id)[1].state is ConnectionState.ACTIVE
    vendor.refresh_faults = [NAMED, NAMED]
    refresh.refresh_one(runtime, other.id)
    age(other.id, 31 * 86_400)
    refresh.refresh_one(runtime, other.id)
    credential, connection = look(other.id)
    assert (connection.state, credential.refresh_at) == (ConnectionState.NEEDS_RECONNECT, None)


# A bare refusal: the grant's fault, or our own secret's?


def test_a_bare_refusal_is_charged_to_the_client_until_another_connection_is_served(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, age: Callable[..., None]
) -> None:
    broken, other = grant_of("broken"), grant_of("other")
    age(other.id, 3600)
    vendor.revoked = {"refresh-canary-broken"}
    refresh.refresh_one(runtime, broken.id)
    age(broken.id, 301)
    refresh.refresh_one(runtime, broken.id)
    credential, connection = look(broken.id)
    assert connection.state is ConnectionState.DEGRADED
    assert connection.reason is not None
    assert "our own client's fault" in connection.reason
    assert [(one.kind, one.user_id) for one in notices(runtime)] == [("client_refused", None)]

    assert refresh.refresh_one(runtime, other.id) is Outcome.RENEWED, "nothing is stopped"
    credential, _ = look(broken.id)
    assert credential.refresh_at is not None
    assert credential.refresh_at <= clock.now(), "now the truth can be found at once"
    refresh.sweep(runtime)
    assert look(broken.id)[1].state is ConnectionState.NEEDS_RECONNECT
    with runtime.database.read() as session:
        assert session.scalars(select(Breaker)).all() == []


def test_a_bare_refusal_while_others_are_served_needs_a_reconnect(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, age: Callable[..., None]
) -> None:
    broken, other = grant_of("broken"), grant_of("other")
    vendor.revoked = {"refresh-canary-broken"}
    refresh.refresh_one(runtime, broken.id)
    age(broken.id, 301)
    refresh.refresh_one(runtime, other.id)
    refresh.refresh_one(runtime, broken.id)
    assert look(broken.id)[1].state is ConnectionState.NEEDS_RECONNECT


def test_a_wrong_secret_that_is_refused_barely_breaks_no_connection(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, age: Callable[..., None]
) -> None:
    made = [grant_of(f"number-{number}") for number in range(10)]
    vendor.revoked = {f"refresh-canary-number-{number}" for number in range(10)}
    for _ in range(4):
        for one in made:
            age(one.id, 900)
        refresh.sweep(runtime)
    assert {look(one.id)[1].state for one in made} == {ConnectionState.DEGRADED}
    assert len(notices(runtime)) == 1
    vendor.revoked = set()
    for one in made:
        age(one.id)
    refresh.sweep(runtime)
    assert {look(one.id)[1].state for one in made} == {ConnectionState.ACTIVE}


# What cannot be refreshed


def test_a_credential_whose_seal_is_broken_is_not_sent_anywhere(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look
) -> None:
    made = grant_of("one")
    assert made.sealed is not None
    with runtime.database.write() as session:
        session.get_one(Credential, made.id).sealed = made.sealed[:-1] + bytes([made.sealed[-1] ^ 1])
    refresh.sweep(runtime)
    assert not vendor.counts["refresh"]
    credential, _ = look(made.id)
    assert (credential.failures, credential.lease) == (1, None)


def test_the_timeline_has_the_vendors_words(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, age: Callable[..., None]
) -> None:
    made = grant_of("one")
    vendor.refresh_faults = [NAMED, NAMED]
    refresh.sweep(runtime)
    age(made.id, 301)
    refresh.sweep(runtime)
    with runtime.database.read() as session:
        lines = session.execute(
            select(AuditLine.act, AuditLine.detail).where(AuditLine.connection_id == made.connection_id)
        ).all()
    assert [act for act, _ in lines] == [
        "connection.refresh_failed",
        "connection.state_changed",
        "connection.told",
    ]
    assert all("revoked" in detail for _, detail in lines)
