"""The main job in a real browser: from "install" at Baselime to the event in the user's account."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.baselime import Baselime
from tests.browser.install_stage import begin, connect, connections, proof_code
from tests.browser.site import PASSWORD, Site
from tests.waiting import wait_for
from webapp.core import connect_sessions
from webapp.core.audit import HITCHPOST

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("cleared")]

Contexts = Callable[..., BrowserContext]


def forward_to(page: Page, *environments: str) -> None:
    for name in environments:
        page.get_by_role("checkbox", name=name).check()
    page.get_by_role("button", name="Forward events there").click()


def send_test_event(page: Page) -> float:
    """Press the button; seconds until the page says delivered."""
    begun = time.monotonic()
    page.get_by_role("button", name="Send a test event").click()
    expect(page.get_by_text("delivered", exact=True).first).to_be_visible()
    return time.monotonic() - begun


def test_from_connect_here_to_the_event_there(bob: Page, site: Site, baselime: Baselime) -> None:
    begin(bob, site)
    expect(bob).to_have_url(re.compile(rf"{site.url}/install/[0-9a-f-]{{36}}$"))
    main = bob.get_by_role("main")
    for told in ("bob@example.org", "acme", "prod", "staging"):
        expect(main).to_contain_text(told)
    assert connections(site) == 0
    bob.get_by_role("button", name="Yes, connect").click()
    forward_to(bob, "prod in acme")
    expect(bob.get_by_role("heading", name="acme")).to_be_visible()
    assert send_test_event(bob) < 3
    bob.reload()
    expect(bob.get_by_text("delivered", exact=True)).to_be_visible()
    (arrived,) = baselime.events("hitchpost.test")
    assert arrived["account"] == "acme/prod"
    (word,) = baselime.events("hitchpost.connected")
    assert "bob@example.org connected this environment" in word["event"]["message"]


def test_from_install_at_baselime_by_proving_the_workspace(
    page: Page, site: Site, baselime: Baselime
) -> None:
    baselime.visit(page)
    expect(page.get_by_role("heading", name="Connect this workspace?")).to_be_visible()
    expect(page.get_by_role("button", name="Yes, connect")).to_have_count(0)
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill("bob@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Nobody pressed Connect here before this came.")).to_be_visible()
    page.get_by_role("button", name="Send the code").click()
    expect(page.get_by_text("Never use a code that somebody sent you.")).to_be_visible()
    page.get_by_label("Code").fill(proof_code(site, "acme/prod").lower())
    page.get_by_role("button", name="Check the code").click()
    page.get_by_role("button", name="Yes, connect").click()
    forward_to(page, "staging in acme")
    send_test_event(page)
    assert [one["account"] for one in baselime.events("hitchpost.test")] == ["acme/staging"]


def test_from_install_at_baselime_by_starting_again_from_here(
    bob: Page, site: Site, baselime: Baselime
) -> None:
    baselime.visit(bob)
    bob.get_by_role("button", name="Start again from here").click()
    baselime.authorize(bob)
    bob.get_by_role("button", name="Yes, connect").click()
    expect(bob.get_by_role("heading", name="What should be forwarded?")).to_be_visible()
    assert connections(site) == 1


def test_all_of_it_without_scripts(new_context: Contexts, site: Site, baselime: Baselime) -> None:
    context = new_context(java_script_enabled=False)
    site.sign_in(context, "bob")
    page = context.new_page()
    connect(page, site)
    forward_to(page, "prod in acme")
    page.get_by_role("button", name="Send a test event").click()
    wait_for(lambda: baselime.events("hitchpost.test"))
    wait_for(lambda: "taken by the vendor" in (page.reload() and page.content()), pause=0.2)


def test_the_user_of_an_app_connects_and_goes_back(page: Page, site: Site, baselime: Baselime) -> None:
    with site.runtime.database.write() as session:
        origins = site.runtime.settings.return_origins
        link, _ = connect_sessions.create(session, HITCHPOST, "u_1", f"{origins[0]}/done", origins)
    page.goto(f"{site.url}/connect/session/{link.reveal()}")
    expect(page).to_have_url(f"{site.url}/connect")
    connect(page, site)
    forward_to(page, "prod in acme")
    send_test_event(page)
    expect(page.get_by_role("link", name="Return to Shipyard").first).to_be_visible()
    assert baselime.events("hitchpost.test")


def test_a_grant_waits_while_the_app_signs_its_user_in(page: Page, site: Site, baselime: Baselime) -> None:
    baselime.visit(page, "bob")
    with site.runtime.database.write() as session:
        origins = site.runtime.settings.return_origins
        link, _ = connect_sessions.create(session, HITCHPOST, "u_2", f"{origins[0]}/done", origins)
    page.goto(f"{site.url}/connect/session/{link.reveal()}")
    page.get_by_role("link", name="Look at what it would connect").click()
    page.get_by_role("button", name="Send the code").click()
    page.get_by_label("Code").fill(proof_code(site, "birch/prod"))
    page.get_by_role("button", name="Check the code").click()
    page.get_by_role("button", name="Yes, connect").click()
    assert connections(site) == 1


def test_reload_double_click_and_two_tabs_make_one_connection(
    bob: Page, context: BrowserContext, site: Site, baselime: Baselime
) -> None:
    begin(bob, site)
    bob.reload()
    other = context.new_page()
    other.goto(bob.url)
    assert baselime.count() == 1
    bob.get_by_role("button", name="Yes, connect").dblclick()
    expect(bob.get_by_role("heading", name="What should be forwarded?")).to_be_visible()
    other.get_by_role("button", name="Yes, connect").click()
    expect(other.get_by_role("heading", name="What should be forwarded?")).to_be_visible()
    assert connections(site) == 1
    assert baselime.count() == 1


def test_the_code_is_in_no_address_history_or_referrer(bob: Page, site: Site, baselime: Baselime) -> None:
    begin(bob, site)
    assert "code=" not in bob.url
    assert bob.evaluate("document.referrer") == ""
    bob.go_back()
    assert bob.url.startswith(baselime.console)


def test_a_second_install_shows_what_would_change_and_keeps_the_connection(
    bob: Page, site: Site, baselime: Baselime
) -> None:
    connect(bob, site)
    forward_to(bob, "prod in acme")
    baselime.add_environment("acme", "canary", "ada")
    address = bob.url
    begin(bob, site)
    expect(bob.get_by_role("heading", name="Renew your connection to Baselime?")).to_be_visible()
    expect(bob.get_by_role("main")).to_contain_text("acme/canary")
    bob.get_by_role("button", name="Yes, renew").click()
    bob.goto(address)
    expect(bob.get_by_role("main")).to_contain_text("canary")
    expect(bob.get_by_role("link", name="baselime.events")).to_be_visible()
    assert connections(site) == 1


def test_nothing_is_forwarded_before_somebody_chose(bob: Page, site: Site, baselime: Baselime) -> None:
    connect(bob, site)
    expect(bob.get_by_role("checkbox", checked=True)).to_have_count(0)
    bob.get_by_role("button", name="Forward events there").click()
    expect(bob.get_by_role("alert")).to_contain_text("Check at least one environment")
    assert baselime.events() == []


def test_a_disconnect_names_the_loss_and_says_what_is_left_to_do(bob: Page, site: Site) -> None:
    connect(bob, site)
    forward_to(bob, "prod in acme")
    bob.get_by_role("link", name="Disconnect…").click()
    expect(bob.get_by_role("main")).to_contain_text("end 1 destination")
    bob.get_by_role("button", name="Disconnect and forget").click()
    expect(bob.get_by_role("main")).to_contain_text("remove the integration in the Baselime console")
    assert connections(site) == 0
