"""A notice leaves the house once by each way, is tried for days, and says what became of it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from werkzeug import Response

from tests.canaries import found
from tests.core.notices.conftest import MakeConnection, Pass
from tests.receivers import OLD_SECRET, SECRET, App, Mailbox
from webapp.core import connections, notices
from webapp.core.audit import HITCHPOST, Actor
from webapp.core.notices import endpoint, leases, webhooks
from webapp.core.runtime import Runtime
from webapp.errors import Conflict
from webapp.lib import clock
from webapp.lib.http import Http
from webapp.lib.ids import uuid7
from webapp.models import AuditLine, Connection, Errand, ErrandState, Notice, Way

Errands = Callable[[], list[Errand]]


def need_reconnect(runtime: Runtime, connection: Connection, words: str = "the vendor said no") -> None:
    with runtime.database.write() as session:
        connections.mark_needs_reconnect(session, connection.id, words)
        notices.tell(
            session,
            dedupe_key=f"needs_reconnect:{connection.id}:{uuid7()}",
            kind="needs_reconnect",
            text=f"{connection.label} needs you to reconnect: {words}.",
            user_id=connection.user_id,
            connection_id=connection.id,
        )


def webhook_in(errands: Errands) -> Errand:
    return next(one for one in errands() if one.way is Way.WEBHOOK)


def text_of(mailbox: Mailbox, number: int = 0, kind: str = "plain") -> str:
    part = mailbox.mails[number].get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_an_owner_is_mailed_at_once_and_the_admins_once_an_hour(
    house: Runtime, mailbox: Mailbox, make_connection: MakeConnection, pass_time: Pass
) -> None:
    for name in ("acme", "birch"):
        need_reconnect(house, make_connection(name, email=f"{name}@example.org"))
    notices.sweep(house)
    assert mailbox.receivers == ["acme@example.org", "birch@example.org"]
    pass_time(3700)
    notices.sweep(house)
    assert mailbox.receivers[2:] == ["alice@example.org"]
    assert "acme@example.org" in text_of(mailbox, 2)
    assert "birch needs you to reconnect" in text_of(mailbox, 2)
    assert "birch needs you to reconnect" in text_of(mailbox, 2, "html")


def test_a_mail_is_what_a_mail_of_a_machine_should_be(
    house: Runtime, mailbox: Mailbox, make_connection: MakeConnection, errands: Errands
) -> None:
    connection = make_connection("acme", email="bob@example.org")
    need_reconnect(house, connection, "<b>no</b>\r\nBcc: eve@example.org")
    notices.sweep(house)
    (mail,) = mailbox.mails
    mailed = next(one for one in errands() if one.way is Way.MAIL)
    assert mail["Message-ID"] == f"<{mailed.id}@post.test>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert (mail["From"], mail["Bcc"]) == ("Hitchpost <post@example.org>", None)
    assert mail["Subject"] == "Please reconnect: acme"
    assert f"{house.settings.public_url}/reconnect/" in text_of(mailbox)
    assert "&lt;b&gt;no&lt;/b&gt;" in text_of(mailbox, 0, "html")
    assert "<b>no" not in text_of(mailbox, 0, "html")


def test_the_host_app_hears_what_it_can_verify_with_a_link_for_its_own_user(
    house: Runtime, app: App, make_connection: MakeConnection
) -> None:
    connection = make_connection("acme")
    need_reconnect(house, connection)
    notices.sweep(house)
    (told,) = app.told
    data = told["data"]
    assert (told["type"], data["connection"], data["external_id"]) == (
        "connection.needs_reconnect",
        str(connection.id),
        "u_acme",
    )
    assert (data["provider"], data["state"], data["reason"]) == (
        "baselime",
        "needs_reconnect",
        "the vendor said no",
    )
    assert data["text"] == "acme needs you to reconnect: the vendor said no."
    assert data["link"].startswith(f"{house.settings.public_url}/reconnect/")


def test_who_has_a_sign_in_here_gets_the_link_by_mail_alone(
    house: Runtime, app: App, make_connection: MakeConnection
) -> None:
    need_reconnect(house, make_connection("acme", email="bob@example.org"))
    notices.sweep(house)
    assert "link" not in app.told[0]["data"]


def test_while_the_secret_changes_both_verify(
    house: Runtime, app: App, make_connection: MakeConnection
) -> None:
    app.secrets = [SECRET, OLD_SECRET]
    more = {"webhook_secret_previous": SecretStr(OLD_SECRET)}
    need_reconnect(house, make_connection())
    notices.sweep(replace(house, settings=house.settings.model_copy(update=more)))
    assert app.types == ["connection.needs_reconnect"] * 2


def test_a_webhook_is_tried_for_three_days_under_one_id_and_then_given_up(
    house: Runtime, app: App, make_connection: MakeConnection, errands: Errands, pass_time: Pass
) -> None:
    app.answers = [Response(status=500) for _ in range(200)]
    need_reconnect(house, make_connection())
    waits, spent = [], 0.0
    while (errand := webhook_in(errands)).state is ErrandState.WAITING:
        notices.sweep(house)
        errand = webhook_in(errands)
        if errand.due_at is not None:
            waits.append((errand.due_at - clock.now()).total_seconds())
            spent += waits[-1]
            pass_time(waits[-1])
    assert errand.state is ErrandState.GIVEN_UP
    assert (errand.status, errand.answer) == (500, "answered 500")
    assert timedelta(days=2.9).total_seconds() < spent < timedelta(days=3.1).total_seconds()
    assert waits[0] <= 30
    assert max(waits) <= 6 * 3600
    assert 12 < errand.tries < 120
    assert {request.headers["webhook-id"] for request in app.requests} == {str(errand.id)}
    with house.database.read() as session:
        lines = list(session.scalars(select(AuditLine.detail).where(AuditLine.act == "connection.told")))
    assert "connection.needs_reconnect could not be told to the host app by webhook: answered 500" in lines


def test_every_try_says_the_same(
    house: Runtime, make_connection: MakeConnection, errands: Errands, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_reconnect(house, make_connection())
    first = webhooks.write(house.settings, webhook_in(errands))
    later = clock.now() + timedelta(hours=5)
    monkeypatch.setattr(clock, "now", lambda: later)
    second = webhooks.write(house.settings, webhook_in(errands))
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    assert second.headers["webhook-timestamp"] == str(int(later.timestamp()))


@pytest.mark.parametrize("asked", ["1800", "date"])
def test_a_wait_that_the_host_app_asks_for_is_kept(
    house: Runtime, app: App, make_connection: MakeConnection, errands: Errands, asked: str
) -> None:
    later = datetime.now(UTC) + timedelta(seconds=1800)
    wait = asked if asked.isdigit() else later.strftime("%a, %d %b %Y %H:%M:%S GMT")
    app.answers = [Response(status=503, headers={"Retry-After": wait})]
    need_reconnect(house, make_connection())
    notices.sweep(house)
    errand = webhook_in(errands)
    assert errand.due_at is not None
    assert 1790 < (errand.due_at - clock.now()).total_seconds() <= 1800


def test_an_endpoint_that_is_gone_is_left_alone_until_it_is_opened_again(
    house: Runtime, app: App, mailbox: Mailbox, make_connection: MakeConnection, pass_time: Pass
) -> None:
    app.answers = [Response(status=410)]
    need_reconnect(house, make_connection())
    notices.sweep(house)
    need_reconnect(house, make_connection("birch"))
    pass_time(60)
    notices.sweep(house)
    assert (len(app.requests), app.told) == (1, [])
    assert mailbox.receivers == ["alice@example.org"]
    assert "410 Gone" in text_of(mailbox)
    with house.database.write() as session:
        endpoint.open_again(session, HITCHPOST, house.settings)
    notices.sweep(house)
    assert app.types == ["connection.needs_reconnect"] * 2


def test_what_waits_for_a_gone_endpoint_is_given_up_after_three_days(
    house: Runtime, app: App, make_connection: MakeConnection, errands: Errands, pass_time: Pass
) -> None:
    app.answers = [Response(status=410)]
    need_reconnect(house, make_connection())
    notices.sweep(house)
    pass_time(timedelta(days=3, minutes=1).total_seconds())
    notices.sweep(house)
    assert webhook_in(errands).state is ErrandState.GIVEN_UP


def test_a_mail_that_is_refused_for_good_is_not_tried_again(
    house: Runtime, mailbox: Mailbox, make_connection: MakeConnection, errands: Errands
) -> None:
    mailbox.replies = ["550 no such person"]
    need_reconnect(house, make_connection("acme", email="bob@example.org"))
    notices.sweep(house)
    mailed = next(one for one in errands() if one.way is Way.MAIL and one.kind == "needs_reconnect")
    assert (mailed.state, mailed.status, mailed.answer) == (ErrandState.GIVEN_UP, 550, "no such person")


def test_a_mail_that_is_refused_for_now_is_tried_again_under_the_same_id(
    house: Runtime, mailbox: Mailbox, make_connection: MakeConnection, errands: Errands, pass_time: Pass
) -> None:
    mailbox.replies = ["451 later"]
    need_reconnect(house, make_connection("acme", email="bob@example.org"))
    notices.sweep(house)
    assert mailbox.mails == []
    pass_time(31)
    notices.sweep(house)
    mailed = next(one for one in errands() if one.kind == "needs_reconnect")
    assert mailbox.mails[0]["Message-ID"] == f"<{mailed.id}@post.test>"
    assert (mailed.state, mailed.tries) == (ErrandState.SENT, 2)


def test_two_ways_do_not_wait_for_each_other(
    house: Runtime, app: App, make_connection: MakeConnection, mailbox: Mailbox
) -> None:
    mailbox.replies = ["451 later"] * 50
    for number in range(5):
        need_reconnect(house, make_connection(f"a{number}", email=f"a{number}@example.org"))
    notices.sweep(house)
    assert len(app.told) == 5
    assert len(mailbox.replies) == 49


def test_eight_workers_send_each_thing_once(
    house: Runtime, app: App, mailbox: Mailbox, make_connection: MakeConnection
) -> None:
    for number in range(6):
        need_reconnect(house, make_connection(f"a{number}", email=f"a{number}@example.org"))
    with ThreadPoolExecutor(8) as workers:
        assert sum(workers.map(lambda _: notices.sweep(house), range(8))) == 12
    assert sorted(mailbox.receivers) == [f"a{number}@example.org" for number in range(6)]
    assert len(app.told) == 6


def test_a_worker_that_died_over_it_is_followed_by_another_when_its_lease_is_over(
    house: Runtime, app: App, make_connection: MakeConnection, errands: Errands, pass_time: Pass
) -> None:
    need_reconnect(house, make_connection())
    held = leases.take_due(house)
    assert held is not None
    assert notices.sweep(house) == 0
    pass_time(61)
    assert notices.sweep(house) == 1
    assert app.types == ["connection.needs_reconnect"]
    assert not leases.settle(house, held, leases.Answer(words="too late"))
    assert webhook_in(errands).state is ErrandState.SENT


def test_no_transaction_is_open_while_it_is_sent(
    house: Runtime, mailbox: Mailbox, make_connection: MakeConnection
) -> None:
    need_reconnect(house, make_connection("acme", email="bob@example.org"))
    wrote = threading.Event()

    def write_elsewhere() -> None:
        with house.database.write() as session:
            session.add(Notice(dedupe_key="probe", kind="probe", text="written"))
        wrote.set()

    mailbox.during = write_elsewhere
    notices.sweep(house)
    assert wrote.is_set()
    assert len(mailbox.mails) == 1


def test_a_rolled_back_act_tells_nobody(
    house: Runtime, make_connection: MakeConnection, errands: Errands
) -> None:
    connection = make_connection()
    with pytest.raises(Conflict), house.database.write() as session:  # noqa: PT012 - the second one fails
        connections.pause(session, HITCHPOST, connection.id)
        connections.pause(session, HITCHPOST, connection.id)
    assert errands() == []


def test_without_a_way_out_a_notice_stays_on_the_pages_and_says_so(
    house: Runtime, make_connection: MakeConnection, errands: Errands
) -> None:
    need_reconnect(house, make_connection("acme", email="bob@example.org"))
    bare = replace(house, mailer=None, settings=house.settings.model_copy(update={"webhook_url": ""}))
    assert notices.sweep(bare) == 0
    due = [one for one in errands() if one.kind != "digest"]
    assert {one.state for one in due} == {ErrandState.NOT_SET_UP}


def test_an_admin_sends_what_was_given_up_again(
    house: Runtime, app: App, mailbox: Mailbox, make_connection: MakeConnection, errands: Errands
) -> None:
    mailbox.replies = ["550 no such person"]
    need_reconnect(house, make_connection("acme", email="bob@example.org"))
    notices.sweep(house)
    mailed = next(one for one in errands() if one.state is ErrandState.GIVEN_UP)
    with house.database.write() as session:
        notices.retry_now(session, Actor("user:alice"), mailed.id)
    notices.sweep(house)
    assert mailbox.receivers == ["bob@example.org"]
    with pytest.raises(Conflict), house.database.write() as session:
        notices.retry_now(session, Actor("user:alice"), mailed.id)


def test_a_private_address_is_not_called_unless_the_operator_says_so(
    house: Runtime, app: App, make_connection: MakeConnection, errands: Errands
) -> None:
    need_reconnect(house, make_connection())
    strict = Http(allow_private=False)
    notices.sweep(replace(house, app_http=strict))
    strict.close()
    assert app.requests == []
    assert webhook_in(errands).answer == "the name stands for a private address"


def test_no_secret_is_in_a_mail_or_a_webhook(  # noqa: PLR0917 - fixtures, by name
    house: Runtime,
    app: App,
    mailbox: Mailbox,
    ada: object,
    connect: Callable[..., Connection],
    pass_time: Pass,
) -> None:
    connection = connect(ada)
    need_reconnect(house, connection)
    connections.disconnect(house, HITCHPOST, connection.id)
    notices.sweep(house)
    pass_time(3700)
    notices.sweep(house)
    assert {"connection.connected", "connection.needs_reconnect", "connection.disconnected"} <= set(app.types)
    assert app.told[-1]["data"]["at_the_vendor"] == "Remove it in the console too."
    everything = b"".join(request.get_data() for request in app.requests) + b"".join(
        map(bytes, mailbox.mails)
    )
    secrets = ["access-canary-1", "refresh-canary-1", "key-canary-acme-prod", SECRET, "client-secret-canary"]
    assert found(secrets, everything) == []
