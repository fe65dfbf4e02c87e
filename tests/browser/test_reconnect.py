"""From the mail that says "please reconnect" by one click to a connection that works again."""

import re
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from pytest_httpserver import HTTPServer
from sqlalchemy import func, select

from tests.browser.baselime import Baselime
from tests.browser.checks import axe, fits
from tests.browser.install_stage import clear, connect, knock
from tests.browser.site import Site, running_site
from tests.receivers import SECRET, App, Mailbox, mail_server
from tests.waiting import wait_for
from webapp.core import connections, events, notices
from webapp.core.events import EventForm
from webapp.models import Connection, ConnectionState, Credential, CredentialKind, Destination, UserSession

pytestmark = pytest.mark.browser

Contexts = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, mailbox: Mailbox, make_httpserver: HTTPServer
) -> Iterator[Site]:
    ways = {
        "mail_from": "Hitchpost <post@example.org>",
        "webhook_url": make_httpserver.url_for("/hooks"),
        "webhook_secret": SECRET,
        "allow_private_webhook": True,
    }
    with mail_server(mailbox) as port:
        smtp_url = f"smtp://127.0.0.1:{port}"
        with running_site(tmp_path_factory.mktemp("site"), smtp_url=smtp_url, **ways) as running:
            yield running


@pytest.fixture
def app(httpserver: HTTPServer) -> App:
    return App(httpserver)


@pytest.fixture
def link(site: Site, mailbox: Mailbox, app: App, new_context: Contexts) -> Iterator[str]:
    """What bob finds in his mail when the vendor refuses the connection that he forwards by."""
    mailbox.mails.clear()
    context = new_context()
    site.sign_in(context, "bob")
    tab = context.new_page()
    connect(tab, site)
    tab.get_by_role("checkbox", name="prod").check()
    tab.get_by_role("button", name="Forward events there").click()
    expect(tab.get_by_role("status")).to_contain_text("Events are forwarded")
    send_event(site, "before")
    with site.runtime.database.write() as session:
        connection = session.scalars(select(Connection)).one()
        connections.mark_needs_reconnect(session, connection.id, "Baselime refuses our access.")
        notices.tell(
            session,
            dedupe_key=f"needs_reconnect:{connection.id}",
            kind="needs_reconnect",
            text="acme needs you: Baselime refuses our access.",
            user_id=connection.user_id,
            connection_id=connection.id,
        )
    wait_for(lambda: mailbox.mails)
    text = mailbox.mails[0].get_body(("plain",))
    assert text is not None
    found = re.search(rf"{site.url}/reconnect/\S+", text.get_content())
    assert found is not None
    yield found[0]
    clear(site)


def send_event(site: Site, event_id: str) -> None:
    body = b'{"id": "%s", "type": "deployment"}' % event_id.encode()
    events.accept(site.runtime, body, form=EventForm.NATIVE, only_user=site.people["bob"])
    wait_for(partial(arrived, site, event_id))


def arrived(site: Site, event_id: str) -> bool:
    return any(one["event"].get("id") == event_id for one in Baselime(site.sandbox).events("deployment"))


def held(site: Site) -> tuple[object, ...]:
    """What a reconnect must keep, and the grant that stays until the new one works."""
    with site.runtime.database.read() as session:
        connection = session.scalars(select(Connection)).one()
        destination = session.scalars(select(Destination)).one()
        grant = session.scalars(select(Credential).where(Credential.kind == CredentialKind.GRANT)).one()
        return connection.state, connection.id, destination.id, destination.cursor_seq, grant.sealed


def test_one_click_and_the_vendors_consent_mend_it_and_keep_all_that_hangs_on_it(
    link: str, site: Site, app: App, page: Page
) -> None:
    before = held(site)
    for method in ("GET", "HEAD", "GET"):
        assert knock(link, method)[0] == 200
    page.goto(link)
    axe(page)
    fits(page)
    page.get_by_role("button", name="Reconnect as bob@example.org").click()
    Baselime(site.sandbox).authorize(page, "ada")
    page.wait_for_url(f"{site.url}/install/**")
    axe(page)
    assert held(site) == before
    page.get_by_role("button", name="Yes, renew").click()
    expect(page.get_by_text("active", exact=True).first).to_be_visible()
    after = held(site)
    assert (after[0], after[1:4]) == (ConnectionState.ACTIVE, before[1:4])
    assert after[4] != before[4]
    send_event(site, "after")
    wait_for(lambda: "connection.recovered" in app.types)
    assert app.types[1:] == ["connection.needs_reconnect", "connection.reconnected", "connection.recovered"]
    page.goto(link)
    expect(page.get_by_role("main")).to_contain_text("Nothing to reconnect")


def test_a_mail_scanner_that_opens_the_link_begins_nothing(link: str, site: Site) -> None:
    with site.runtime.database.read() as session:
        sessions = session.scalar(select(func.count()).select_from(UserSession))
    before = held(site)
    for method in ("GET", "HEAD", "OPTIONS"):
        knock(link, method)
    assert knock(link, "POST")[0] in {400, 403}
    assert held(site) == before
    with site.runtime.database.read() as session:
        assert session.scalar(select(func.count()).select_from(UserSession)) == sessions


def test_another_account_is_noticed_and_refused_and_the_old_grant_stays(
    link: str, site: Site, page: Page
) -> None:
    before = held(site)
    page.goto(link)
    page.get_by_role("button", name="Reconnect as bob@example.org").click()
    Baselime(site.sandbox).authorize(page, "bob")
    expect(page.get_by_role("heading", name="This is another account")).to_be_visible()
    axe(page)
    assert held(site) == before
