"""Rotation survives: what is spent at the vendor is not lost here, and what cannot be kept is named."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from tests.core.conftest import make_tables
from tests.core.refresh.conftest import make_grant
from tests.fake_vendor import FakeHttp, FakeVendor, running_with
from tests.services import postgres
from tests.waiting import wait_for
from webapp.core import credentials, refresh, rotation
from webapp.core.refresh import Outcome, answers, settlement
from webapp.core.runtime import Runtime
from webapp.errors import ClientRefused, GrantRefused, VendorAnswerInvalid, VendorError, VendorUnavailable
from webapp.lib import clock
from webapp.lib.vault import new_key, parse_keys
from webapp.models import Connection, ConnectionState, Credential, Notice

Look = Callable[[UUID], tuple[Credential, Connection]]
Make = Callable[[str], Credential]

SPENT = GrantRefused("The refresh token was used already", status=400, code="invalid_grant")
LOST = VendorUnavailable("the connection broke", sent=True)


@pytest.fixture(autouse=True)
def rotating(vendor: FakeVendor) -> None:
    vendor.rotates = True


def refresh_token(runtime: Runtime, credential: Credential) -> str:
    return credentials.open_parts(runtime.vault, credential)["refresh_token"].reveal()


class Killed(BaseException):
    """The process ends here."""


def kill() -> None:
    raise Killed


def test_the_intent_is_in_the_row_before_the_call_goes_out(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look
) -> None:
    made = grant_of("one")
    seen: list[Credential] = []
    vendor.during = lambda: seen.append(look(made.id)[0])
    refresh.refresh_one(runtime, made.id)
    assert seen[0].lease is not None
    assert seen[0].asked_at is not None
    assert clock.now() - seen[0].asked_at < timedelta(seconds=10)
    after, _ = look(made.id)
    assert (after.lease, after.asked_at) == (None, None)
    assert after.rotated_at == after.issued_at


def test_after_a_crash_before_the_call_the_old_token_simply_works(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, take_over: Callable[[UUID], Outcome]
) -> None:
    made = grant_of("one")
    vendor.during = kill
    with pytest.raises(Killed):
        refresh.refresh_one(runtime, made.id)
    vendor.during = lambda: None
    assert take_over(made.id) is Outcome.RENEWED
    credential, connection = look(made.id)
    assert (credential.asked_at, connection.state) == (None, ConnectionState.ACTIVE)


def crash_with_the_answer_in_hand(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, made: Credential
) -> None:
    """The vendor has traded the token; the process dies before anything is written."""
    with monkeypatch.context() as patched:
        patched.setattr(settlement, "settle", lambda *_, **__: kill())
        with pytest.raises(Killed):
            refresh.refresh_one(runtime, made.id)


def test_after_a_crash_with_the_answer_in_hand_the_old_token_is_tried_once_and_the_cause_is_named(
    runtime: Runtime,
    vendor: FakeVendor,
    grant_of: Make,
    look: Look,
    *,
    take_over: Callable[[UUID], Outcome],
    age: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = grant_of("one")
    refresh.refresh_one(runtime, made.id)  # now it is seen that this vendor rotates
    crash_with_the_answer_in_hand(runtime, monkeypatch, made)
    calls = vendor.counts["refresh"]
    assert take_over(made.id) is Outcome.REFUSED
    credential, connection = look(made.id)
    assert connection.state is ConnectionState.NEEDS_RECONNECT
    assert (connection.reason or "").startswith("An interrupted rotation: the answer to our refresh of 20")
    assert credential.refresh_at is None, "what is spent is not tried again"
    assert vendor.counts["refresh"] == calls + 1
    assert credential.sealed is not None, "the access token may live on"
    with runtime.database.read() as session:
        (notice,) = session.scalars(select(Notice))
    assert "An interrupted rotation" in notice.text


def test_a_vendor_that_takes_a_spent_token_for_a_while_loses_nothing(
    runtime: Runtime,
    vendor: FakeVendor,
    grant_of: Make,
    look: Look,
    *,
    take_over: Callable[[UUID], Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = grant_of("one")
    refresh.refresh_one(runtime, made.id)
    crash_with_the_answer_in_hand(runtime, monkeypatch, made)
    vendor.spent.clear()  # the reuse window
    assert take_over(made.id) is Outcome.RENEWED
    assert look(made.id)[1].state is ConnectionState.ACTIVE


def test_where_no_rotation_was_ever_seen_a_refusal_after_a_crash_is_confirmed_like_any_other(
    runtime: Runtime,
    vendor: FakeVendor,
    grant_of: Make,
    look: Look,
    *,
    take_over: Callable[[UUID], Outcome],
    age: Callable[..., None],
) -> None:
    vendor.rotates = False
    made = grant_of("one")
    vendor.during = kill
    with pytest.raises(Killed):
        refresh.refresh_one(runtime, made.id)
    vendor.during = lambda: None
    vendor.refresh_faults = [SPENT, SPENT]
    assert take_over(made.id) is Outcome.REFUSED
    assert look(made.id)[1].state is ConnectionState.ACTIVE
    age(made.id, 301)
    refresh.refresh_one(runtime, made.id)
    assert look(made.id)[1].state is ConnectionState.NEEDS_RECONNECT


@pytest.mark.parametrize(
    ("answer", "lost"),
    [
        (LOST, True),
        (VendorUnavailable("no answer in time"), True),
        (VendorAnswerInvalid("the token answer is not a JSON object", status=200), True),
        (VendorUnavailable("the answer is a web page", status=200), True),
        (VendorUnavailable("Bad Gateway", status=502), True),
        (VendorUnavailable("Gateway Timeout", status=504), True),
        (VendorUnavailable("no connection could be made", sent=False), False),
        (VendorUnavailable("answered 500", status=500), False),
        (VendorUnavailable("answered 503", status=503), False),
        (VendorUnavailable("answered 302", status=302), False),
        (ClientRefused("unknown", status=401), False),
    ],
)
def test_only_an_answer_that_was_lost_leaves_it_open_whether_the_token_is_spent(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, answer: VendorError, *, lost: bool
) -> None:
    made = grant_of("one")
    vendor.refresh_faults = [answer]
    refresh.refresh_one(runtime, made.id)
    credential, _ = look(made.id)
    assert (credential.asked_at is not None) is lost
    assert credential.refresh_at is not None
    if lost:
        assert credential.refresh_at - clock.now() <= timedelta(seconds=5), "asked again at once"


def test_a_lost_answer_stays_the_cause_through_an_outage_that_follows(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, age: Callable[..., None]
) -> None:
    made = grant_of("one")
    refresh.refresh_one(runtime, made.id)
    down = VendorUnavailable("no connection could be made", sent=False)
    vendor.refresh_faults = [LOST, down, down, SPENT]
    for _ in range(4):
        age(made.id, 60)
        refresh.refresh_one(runtime, made.id)
    _, connection = look(made.id)
    assert connection.state is ConnectionState.NEEDS_RECONNECT
    assert (connection.reason or "").startswith("An interrupted rotation")


def test_a_grant_lands_though_the_lease_was_taken_over_and_the_follower_is_fenced(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, take_over: Callable[[UUID], Outcome]
) -> None:
    made = grant_of("one")
    outcomes: list[Outcome] = []
    landed = threading.Event()

    def frozen() -> None:
        """The first holder has its answer when a second one is already asking."""
        vendor.during = lambda: landed.wait(10)
        thread.start()
        wait_for(lambda: vendor.counts["refresh"] == 2, seconds=10)

    thread = threading.Thread(target=lambda: outcomes.append(take_over(made.id)))
    vendor.during = frozen
    outcomes.append(refresh.refresh_one(runtime, made.id) or Outcome.LATER)
    landed.set()
    thread.join()
    assert outcomes == [Outcome.RENEWED, Outcome.FENCED]
    assert refresh_token(runtime, look(made.id)[0]) == "refresh-canary-one.1"


# The database cannot take the answer


@contextmanager
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No write is taken."""

    def refuse(*_: object, **__: object) -> None:
        raise OperationalError("", {}, Exception("No space left on device"))

    with monkeypatch.context() as patched:
        patched.setattr(settlement, "settle", refuse)
        yield


def test_an_answer_that_the_database_does_not_take_is_held_until_it_does(
    runtime: Runtime,
    vendor: FakeVendor,
    grants_of: Callable[..., list[Credential]],
    look: Look,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, other = grants_of("one", "other")
    with full(monkeypatch):
        with pytest.raises(SQLAlchemyError):
            refresh.refresh_one(runtime, made.id)
        assert answers.are_held()
        assert refresh.sweep(runtime) == 0, "what is in hand comes first"
        assert refresh.refresh_one(runtime, other.id) is None
        assert vendor.counts["refresh"] == 1
    refresh.wait_until_landed()
    credential, _ = look(made.id)
    assert refresh_token(runtime, credential) == "refresh-canary-one.1"
    assert refresh.sweep(runtime) == 1


def test_a_life_counts_from_the_receipt_however_late_it_lands(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.lifetime = 100.0
    made = grant_of("one")
    with full(monkeypatch), pytest.raises(SQLAlchemyError):
        refresh.refresh_one(runtime, made.id)
    began = clock.now()
    refresh.wait_until_landed()
    credential, _ = look(made.id)
    assert credential.expires_at is not None
    assert credential.expires_at < began + timedelta(seconds=100), "the tries before took half a second"


def test_a_key_that_this_process_lacks_costs_no_grant(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, look: Look
) -> None:
    made = grant_of("one")
    ring = f"{new_key()},{runtime.settings.vault_keys.get_secret_value()}"
    elsewhere = replace(runtime, vault=parse_keys(ring))
    vendor.during = lambda: rotation.rotate(elsewhere)
    assert refresh.refresh_one(runtime, made.id) is Outcome.RENEWED
    assert refresh_token(runtime, look(made.id)[0]).endswith(".1")


def test_only_a_grant_is_held_for_what_was_refused_can_be_asked_again(
    runtime: Runtime, vendor: FakeVendor, grant_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = grant_of("one")
    vendor.refresh_faults = [SPENT]
    with full(monkeypatch), pytest.raises(SQLAlchemyError):
        refresh.refresh_one(runtime, made.id)
    assert not answers.are_held()


def test_a_database_that_dies_with_the_answer_under_way_takes_it_when_it_is_back(
    postgres_cluster: Callable[[], postgres.Cluster], vendor: FakeVendor
) -> None:
    cluster = postgres_cluster()
    make_tables(cluster.url)
    with running_with(vendor, FakeHttp(), cluster.url) as runtime:
        with runtime.database.write() as session:
            made = make_grant(session, runtime, "one")
        vendor.during = lambda: cluster.stop(signal.SIGKILL)
        with pytest.raises(SQLAlchemyError):
            refresh.refresh_one(runtime, made.id)
        cluster.start()
        refresh.wait_until_landed()
        with runtime.database.read() as session:
            after = session.get_one(Credential, made.id)
        assert (after.generation, after.lease, after.asked_at) == (2, None, None)
        assert refresh_token(runtime, after).endswith(".1")
