"""Sign-in, people, keys and audit in a real browser."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from werkzeug import Request, Response
from werkzeug.serving import make_server

from tests.browser.checks import axe, fits
from tests.browser.site import APP_ORIGIN, PASSWORD, Site
from webapp.core import connect_sessions
from webapp.core.audit import HITCHPOST

pytestmark = pytest.mark.browser

Contexts = Callable[..., BrowserContext]


def _type_in(page: Page, site: Site, email: str, password: str = PASSWORD) -> None:
    page.goto(f"{site.url}/sign-in")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_member_signs_in_and_out(page: Page, site: Site) -> None:
    _type_in(page, site, "bob@example.org")
    expect(page).to_have_url(f"{site.url}/connections")
    expect(page.get_by_role("link", name="Admin")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page.go_back()
    page.reload()
    expect(page).to_have_url(re.compile(r"/sign-in"))


def test_an_invited_person_comes_in_by_the_link(new_context: Contexts, site: Site) -> None:
    admin = new_context(permissions=["clipboard-write"])
    site.sign_in(admin, "alice")
    page = admin.new_page()
    page.goto(f"{site.url}/admin/people")
    page.get_by_label("E-mail").fill("eve@example.org")
    page.get_by_role("button", name="Make an invitation link").click()
    page.get_by_role("button", name="Copy: One-time link").click()
    expect(page.get_by_role("button", name="Copy: One-time link")).to_have_text("Copied")
    page.goto(f"{site.url}/admin/people")
    page.get_by_label("Search").press("ControlOrMeta+V")
    link = page.get_by_label("Search").input_value()
    eve = new_context().new_page()
    eve.goto(link)
    eve.get_by_label("Password", exact=True).fill(PASSWORD)
    eve.get_by_label("The same password again").fill(PASSWORD)
    eve.get_by_role("button", name="Set the password and sign in").click()
    expect(eve.get_by_role("status")).to_contain_text("you are signed in")


def test_the_user_of_an_app_comes_in_by_itself_and_can_go_back(page: Page, site: Site) -> None:
    with site.runtime.database.write() as session:
        link, _ = connect_sessions.create(session, HITCHPOST, "u_carol", f"{APP_ORIGIN}/done", (APP_ORIGIN,))
    page.goto(f"{site.url}/connect/session/{link.reveal()}")
    expect(page).to_have_url(f"{site.url}/connect")
    back = page.get_by_role("link", name="Return to Shipyard").first
    expect(back).to_have_attribute("href", f"{APP_ORIGIN}/done")
    expect(page.get_by_role("link", name="Events")).to_have_count(0)


def test_all_of_it_works_without_scripts(new_context: Contexts, site: Site) -> None:
    page = new_context(java_script_enabled=False).new_page()
    _type_in(page, site, "alice@example.org")
    page.get_by_role("link", name="Admin").click()
    page.get_by_role("link", name="API keys").click()
    page.get_by_label("Name").fill("no scripts")
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("pre").first).to_have_text(re.compile(r"^hp_[a-z0-9]{8}_[\w-]{43}$"))
    page.get_by_role("link", name="I have kept it").click()
    row = page.get_by_role("row").filter(has_text="no scripts")
    row.get_by_label("Revoke no scripts").click()
    row.get_by_role("button", name="Yes, revoke").click()
    expect(page.get_by_role("status")).to_contain_text("is revoked")
    expect(row).to_contain_text("revoked")


def test_the_keyboard_alone_is_enough(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/sign-in")
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.keyboard.type("bob@example.org")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.url}/connections")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_the_browser_keeps_one_cookie_that_no_script_reads(page: Page, site: Site) -> None:
    _type_in(page, site, "alice@example.org")
    for path in ("/admin/people", "/admin/api-keys", "/connect"):
        page.goto(site.url + path)
    assert page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]
    kept = page.context.cookies()
    assert [(one["name"], one["httpOnly"], one["sameSite"]) for one in kept] == [
        ("hitchpost-session", True, "Lax")
    ]


@contextmanager
def _elsewhere(html: str) -> Iterator[str]:
    """A page of somebody else, on another host name."""

    @Request.application
    def answer(_: Request) -> Response:
        return Response(html, content_type="text/html")

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    server.log = lambda *_: None  # type: ignore[method-assign]  # quiet
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_no_other_site_can_show_our_pages_in_a_frame(browser_page: Page, site: Site) -> None:
    site.sign_in(browser_page.context, "alice")
    with _elsewhere(f'<iframe src="{site.url}/admin/people"></iframe>') as address:
        browser_page.goto(address)
        frame = browser_page.frames[1]
        frame.wait_for_load_state()
        assert "People" not in frame.content()


def test_no_other_site_can_send_our_forms(browser_page: Page, site: Site) -> None:
    site.sign_in(browser_page.context, "alice")
    form = f'<form method="post" action="{site.url}/sign-out"><button>Win a prize</button></form>'
    with _elsewhere(form) as address:
        browser_page.goto(address)
        browser_page.get_by_role("button").click()
        expect(browser_page.get_by_role("heading", name="This is not allowed")).to_be_visible()
    browser_page.goto(f"{site.url}/admin/people")
    expect(browser_page.get_by_role("heading", name="People")).to_be_visible()


@pytest.fixture
def browser_page(browser: object) -> Iterator[Page]:
    """A tab whose complaints are expected: it visits other people's pages."""
    context = browser.new_context()  # type: ignore[attr-defined]  # a Browser
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_fits_a_phone(new_context: Contexts, site: Site, scheme: str) -> None:
    context = new_context(color_scheme=scheme)
    page = context.new_page()
    with site.runtime.database.write() as session:
        link, _ = connect_sessions.create(session, HITCHPOST, "u_carol", None, (APP_ORIGIN,))
    for path in ("/sign-in", "/invite/over", "/connect/session/over", "/nowhere"):
        _look(page, site.url + path, scheme)
    site.sign_in(context, "alice")
    for path in (
        "/admin/people",
        "/admin/people?search=nobody+at+all",
        f"/admin/people/{site.people['dan']}/delete",
        "/admin/api-keys",
        "/admin/audit",
        "/admin/audit?act=connection.told",
        "/again",
        f"/connect/session/{link.reveal()}",
    ):
        _look(page, site.url + path, scheme)
    page.goto(f"{site.url}/admin/api-keys")
    page.get_by_label("Name").fill(f"looked at in {scheme}")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("link", name="I have kept it")).to_be_visible()
    page.wait_for_load_state()
    axe(page)
    fits(page)
    page.goto(f"{site.url}/admin/people")
    page.get_by_label("Disable dan@example.org").click()
    axe(page)
    fits(page)
    page.get_by_label("E-mail").fill("bob@example.org")
    page.get_by_role("button", name="Make an invitation link").click()
    expect(page.get_by_label("E-mail")).to_have_attribute("aria-invalid", "true")
    axe(page)


def _look(page: Page, address: str, scheme: str) -> None:
    page.goto(address)
    expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
    axe(page)
    fits(page)
