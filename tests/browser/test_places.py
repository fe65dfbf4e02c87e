"""Every page of connections, installs and events: accessible in light and dark, from 360 to 1600 px wide."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import select, update

from tests.browser.baselime import Baselime
from tests.browser.checks import axe, fits
from tests.browser.install_stage import begin, connect
from tests.browser.site import Site
from tests.waiting import wait_for
from webapp.core import events
from webapp.core.audit import HITCHPOST
from webapp.core.destinations import Hold, hold
from webapp.core.events import EventForm
from webapp.lib import clock
from webapp.lib.ids import uuid7
from webapp.models import (
    Breaker,
    Connection,
    ConnectionState,
    DeadLetter,
    Destination,
    Errand,
    ErrandState,
    Notice,
    Process,
    Way,
)

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("cleared")]

Contexts = Callable[..., BrowserContext]


@pytest.fixture(params=["light", "dark"])
def alice(new_context: Contexts, site: Site, request: pytest.FixtureRequest) -> Page:
    """A tab in which alice, who administers, is signed in: once in light, once in dark."""
    context = new_context(color_scheme=request.param)
    site.sign_in(context, "alice")
    return context.new_page()


def look(page: Page, address: str | None = None) -> None:
    if address:
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
    axe(page)
    fits(page)


def test_pages_that_are_empty_say_how_to_fill_them(alice: Page, site: Site) -> None:
    for path, told in (
        ("/connect", "Choose where your events should go"),
        ("/connections", "No account is connected yet"),
        ("/events", "No event was accepted yet"),
        ("/dead-letters", "No dead letters here"),
        ("/admin/health", "Nobody has to be told anything"),
        ("/admin/told", "Nothing was to be told yet"),
    ):
        look(alice, site.url + path)
        expect(alice.get_by_role("main")).to_contain_text(told)


def test_an_install_on_its_way(alice: Page, site: Site) -> None:
    baselime = Baselime(site.sandbox)
    baselime.visit(alice)
    expect(alice.get_by_text("Nobody pressed Connect here before this came.")).to_be_visible()
    look(alice)
    alice.get_by_role("button", name="Send the code").click()
    expect(alice.get_by_label("Code")).to_be_visible()
    look(alice)
    begin(alice, site)
    look(alice)
    alice.get_by_role("button", name="Yes, connect").click()
    look(alice)
    alice.get_by_role("button", name="Forward events there").click()
    expect(alice.get_by_role("alert")).to_be_visible()
    look(alice)


def test_everything_that_a_connection_shows(alice: Page, site: Site) -> None:
    connect(alice, site)
    for box in alice.get_by_role("checkbox").all():
        box.check()
    alice.get_by_role("button", name="Forward events there").click()
    expect(alice.get_by_role("status")).to_contain_text("Events are forwarded")
    connection = UUID(alice.url.rpartition("/")[2])
    destination, letter = fill(site, connection)
    alice.goto(f"{site.url}/connections/{connection}")
    alice.get_by_role("button", name="Send a test event").click()
    expect(alice.get_by_text("delivered", exact=True)).to_be_visible()
    look(alice)
    for path in (
        "/connections",
        "/connections?state=degraded&sort=waiting",
        f"/connections/{connection}",
        f"/connections/{connection}/forward",
        f"/connections/{connection}/disconnect",
        f"/destinations/{destination}",
        "/events",
        "/events?user=alice@example.org",
        "/dead-letters",
        f"/dead-letters/{letter}",
        "/admin/health",
        "/admin/told",
        "/admin/told?state=given_up",
    ):
        look(alice, site.url + path)
    alice.goto(f"{site.url}/destinations/{destination}")
    alice.get_by_label("Dataset").fill("no such name!")
    alice.get_by_role("button", name="Save").click()
    expect(alice.get_by_label("Dataset")).to_have_attribute("aria-invalid", "true")
    look(alice)
    alice.goto(f"{site.url}/events?event=never&source=app&user=alice@example.org")
    expect(alice.get_by_label("Event id")).to_have_attribute("aria-invalid", "true")
    look(alice)


def fill(site: Site, connection_id: UUID) -> tuple[UUID, UUID]:
    """Trouble of every sort: a held destination, a dead letter, a breaker, a notice, a dead process."""
    payload = b'{"id": "e1", "type": "deployment", "subject": "checkout-api"}'
    events.accept(site.runtime, payload, form=EventForm.NATIVE, only_user=site.people["alice"])
    wait_for(lambda: Baselime(site.sandbox).events("deployment"))
    with site.runtime.database.write() as session:
        first, second = session.scalars(select(Destination.id).order_by(Destination.id))
        hold(
            session,
            second,
            Hold.KEY_REFUSED,
            "Baselime no longer accepts this environment's key.",
            actor=HITCHPOST,
        )
        session.execute(
            update(Connection)
            .where(Connection.id == connection_id)
            .values(state=ConnectionState.DEGRADED, reason="A destination stands still.")
        )
        letter = DeadLetter(
            id=uuid7(), destination_id=first, seq=1, type="deployment", body=b'{"id": "e1"}', reason="too odd"
        )
        session.add(letter)
        long_ago = clock.now() - timedelta(hours=3)
        session.add(Process(kind="worker", host="build-7.internal.example", seen_at=long_ago))
        session.merge(
            Breaker(scope="client", key="baselime:demo", open_until=clock.now(), incident="401 Unauthorised")
        )
        for state in ErrandState:
            way, answer = (
                (Way.MAIL, "5.1.1 No such person here") if state != "sent" else (Way.WEBHOOK, "taken")
            )
            session.add(
                Errand(
                    dedupe_key=state,
                    way=way,
                    kind="connection.degraded",
                    connection_id=connection_id,
                    user_id=site.people["bob"] if way is Way.MAIL else None,
                    data={"reason": "A destination stands still: the key is refused."},
                    state=state,
                    due_at=clock.now() if state == "waiting" else None,
                    tries=3,
                    status=550,
                    answer=answer,
                )
            )
        session.add(
            Notice(
                dedupe_key=str(letter.id),
                kind="test",
                text="A destination stands still.",
                connection_id=connection_id,
            )
        )
    return first, letter.id
