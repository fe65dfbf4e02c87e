"""A trouble is told once, from its beginning to its end, and a vendor's outage is one incident."""

from collections.abc import Callable

from sqlalchemy import func, select

from tests.core.grants import make_grants
from tests.core.notices.conftest import MakeConnection, Pass
from tests.fake_vendor import CLIENT_KEY
from tests.receivers import App, Mailbox
from webapp.core import connections, notices
from webapp.core.audit import HITCHPOST
from webapp.core.refresh import client_breaker
from webapp.core.runtime import Runtime
from webapp.lib import clock
from webapp.models import Connection, Errand, ErrandState, Notice, Way

MINUTE = 60.0


def degrade(runtime: Runtime, connection: Connection, *, of_vendor: bool = False) -> None:
    with runtime.database.write() as session:
        connections.degrade(session, connection.id, "Its dataset is refused.", of_vendor=of_vendor)


def recover(runtime: Runtime, connection: Connection) -> None:
    with runtime.database.write() as session:
        connections.recover(session, connection.id)


def kinds(runtime: Runtime) -> list[str]:
    with runtime.database.read() as session:
        return list(session.scalars(select(Notice.kind).order_by(Notice.id)))


def test_what_lasts_is_told_once_and_its_end_to_the_host_app(
    house: Runtime, app: App, mailbox: Mailbox, make_connection: MakeConnection, pass_time: Pass
) -> None:
    connection = make_connection("acme", email="bob@example.org")
    degrade(house, connection)
    notices.sweep(house)
    assert (app.types, mailbox.mails) == ([], [])
    for _ in range(3):
        pass_time(10 * MINUTE)
        notices.sweep(house)
    assert app.types == ["connection.degraded"]
    assert mailbox.receivers_at_once == ["bob@example.org"]
    recover(house, connection)
    notices.sweep(house)
    assert app.types == ["connection.degraded"]
    pass_time(10 * MINUTE)
    notices.sweep(house)
    assert app.types == ["connection.degraded", "connection.recovered"]
    with house.database.read() as session:
        assert session.scalars(select(Notice.read_at)).one() is not None


def test_a_trouble_that_soon_passes_is_never_told(
    house: Runtime, app: App, make_connection: MakeConnection, pass_time: Pass
) -> None:
    connection = make_connection()
    degrade(house, connection)
    pass_time(9 * MINUTE)
    recover(house, connection)
    for _ in range(3):
        pass_time(10 * MINUTE)
        notices.sweep(house)
    assert (app.types, kinds(house)) == ([], [])


def test_a_connection_that_flaps_is_told_of_once(
    house: Runtime, app: App, make_connection: MakeConnection, pass_time: Pass
) -> None:
    connection = make_connection()
    for _ in range(30):
        degrade(house, connection)
        notices.sweep(house)
        pass_time(2 * MINUTE)
        recover(house, connection)
        pass_time(2 * MINUTE)
        notices.sweep(house)
    assert app.types == ["connection.degraded"]
    pass_time(10 * MINUTE)
    notices.sweep(house)
    assert app.types == ["connection.degraded", "connection.recovered"]


def test_a_mail_that_is_stale_before_it_left_is_withdrawn(
    house: Runtime, mailbox: Mailbox, make_connection: MakeConnection, pass_time: Pass
) -> None:
    connection = make_connection("acme", email="bob@example.org")
    mailbox.replies = ["451 later"] * 9
    degrade(house, connection)
    pass_time(10 * MINUTE)
    notices.sweep(house)
    recover(house, connection)
    with house.database.write() as session:
        errand = session.scalars(select(Errand).where(Errand.kind == "connection.degraded")).all()
        for one in errand:
            one.due_at = one.due_at and one.due_at.replace(year=2099)
    pass_time(10 * MINUTE)
    notices.sweep(house)
    with house.database.read() as session:
        mail = session.scalars(
            select(Errand).where(Errand.way == Way.MAIL, Errand.kind == "connection.degraded")
        ).one()
    assert mail.state is ErrandState.WITHDRAWN
    assert mailbox.mails == []


def test_a_pause_ends_it_and_says_so(
    house: Runtime, app: App, make_connection: MakeConnection, pass_time: Pass
) -> None:
    connection = make_connection()
    degrade(house, connection)
    with house.database.write() as session:
        connections.pause(session, HITCHPOST, connection.id)
    pass_time(30 * MINUTE)
    with house.database.write() as session:
        connections.resume(session, HITCHPOST, connection.id)
    notices.sweep(house)
    assert app.types == ["connection.paused", "connection.resumed"]


def test_a_vendors_outage_is_one_mail_to_the_admins_and_none_to_a_thousand_owners(
    house: Runtime, app: App, mailbox: Mailbox, pass_time: Pass
) -> None:
    count = 1_000 if house.database.is_sqlite else 100
    grants = make_grants(house, count)
    with house.database.write() as session:
        for grant in grants:
            connections.degrade(session, grant.connection_id, "It answered 503.", of_vendor=True)
    for _ in range(3):
        pass_time(10 * MINUTE)
        notices.sweep(house)
    assert (kinds(house), app.types) == (["vendor.incident"], ["vendor.incident"])
    assert mailbox.receivers == ["alice@example.org"]
    data = app.told[0]["data"]
    assert data.pop("text").startswith(f"baselime gives {count} connections no usable answer")
    assert data == {"provider": "baselime", "reason": "It answered 503.", "connections": count}
    with house.database.write() as session:
        for grant in grants:
            connections.recover(session, grant.connection_id)
    for _ in range(4):
        pass_time(10 * MINUTE)
        notices.sweep(house)
    assert kinds(house) == ["vendor.incident", "vendor.recovered"]
    assert app.types == ["vendor.incident", "vendor.recovered"]
    assert mailbox.receivers == ["alice@example.org"] * 2


def test_what_stays_troubled_when_the_vendor_is_well_again_is_told_by_itself(
    house: Runtime, app: App, make_connection: MakeConnection, pass_time: Pass
) -> None:
    made = [make_connection(f"a{number}") for number in range(4)]
    for one in made:
        degrade(house, one, of_vendor=True)
    pass_time(10 * MINUTE)
    notices.sweep(house)
    for one in made[:3]:
        recover(house, one)
    for _ in range(3):
        pass_time(10 * MINUTE)
        notices.sweep(house)
    assert app.types == ["vendor.incident", "connection.degraded", "vendor.recovered"]
    assert app.told[1]["data"]["account"] == "a3"


def test_troubles_of_their_own_are_no_outage(
    house: Runtime, app: App, make_connection: MakeConnection, pass_time: Pass
) -> None:
    for number in range(5):
        degrade(house, make_connection(f"a{number}"))
    pass_time(10 * MINUTE)
    notices.sweep(house)
    assert app.types == ["connection.degraded"] * 5


def test_a_refused_client_is_told_and_its_end_too(
    house: Runtime, app: App, mailbox: Mailbox, pass_time: Pass
) -> None:
    for _ in range(3):
        with house.database.write() as session:
            client_breaker.trip(session, CLIENT_KEY, "invalid_client")
            client_breaker.tell_admins(session, CLIENT_KEY, "It refuses our secret.")
    for _ in range(3):
        pass_time(10 * MINUTE)
        notices.sweep(house)
    assert (kinds(house), app.types) == (["client_refused"], ["vendor.incident"])
    with house.database.write() as session:
        client_breaker.close(session, CLIENT_KEY)
    for _ in range(3):
        pass_time(10 * MINUTE)
        notices.sweep(house)
    assert app.types == ["vendor.incident", "vendor.recovered"]
    assert mailbox.receivers == ["alice@example.org"] * 2


def test_a_destination_that_a_vendors_outage_stopped_is_mailed_when_that_is_over(
    house: Runtime, mailbox: Mailbox, make_connection: MakeConnection, pass_time: Pass
) -> None:
    made = [make_connection(f"a{number}", email=f"a{number}@example.org") for number in range(3)]
    for one in made:
        degrade(house, one, of_vendor=True)
    pass_time(10 * MINUTE)
    notices.sweep(house)
    with house.database.write() as session:
        notices.tell(
            session,
            dedupe_key="held",
            kind="destination.failing",
            text="It stands still.",
            user_id=made[0].user_id,
            connection_id=made[0].id,
        )
    pass_time(9 * MINUTE)
    notices.sweep(house)
    assert mailbox.receivers_at_once == ["alice@example.org"]
    for one in made[1:]:
        recover(house, one)
    for _ in range(5):
        pass_time(10 * MINUTE)
        notices.sweep(house)
    assert "a0@example.org" in mailbox.receivers


def test_what_was_settled_a_month_ago_is_forgotten(
    house: Runtime, make_connection: MakeConnection, errands: Callable[[], list[Errand]]
) -> None:
    connection = make_connection()
    with house.database.write() as session:
        connections.pause(session, HITCHPOST, connection.id)
    notices.sweep(house)
    with house.database.write() as session:
        notices.forget(session)
        assert session.scalar(select(func.count()).select_from(Errand)) == 1
        session.scalars(select(Errand)).one().settled_at = clock.now().replace(year=2020)
    with house.database.write() as session:
        notices.forget(session)
    assert errands() == []
