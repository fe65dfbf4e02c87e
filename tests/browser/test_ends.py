"""Every way an install can end: a page that says what happened and what to do, and nothing half-made."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import update

from tests.browser.baselime import Baselime
from tests.browser.checks import axe, fits
from tests.browser.install_stage import begin, connect, connections, knock, nothing_left
from tests.browser.site import Site
from webapp.lib import clock
from webapp.models import Install

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("cleared")]

Contexts = Callable[..., BrowserContext]
AGAIN = "Start again from here"


def ends(page: Page, title: str, *, next_step: str | None = AGAIN) -> None:
    """Assert what every ending's page promises."""
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    for told in ("What happened", "What is safe", "What to do now"):
        expect(page.get_by_text(told, exact=True)).to_be_visible()
    if next_step:
        expect(page.get_by_role("main").locator(".btn-primary")).to_have_text(next_step)
    axe(page)
    fits(page)


def outlive(site: Site) -> None:
    """Let the clock of every open install run out."""
    with site.runtime.database.write() as session:
        session.execute(update(Install).values(expires_at=clock.now() - timedelta(minutes=5)))


@pytest.mark.parametrize(
    ("fault", "title"),
    [
        ({"kind": "status", "status": 400}, "Baselime did not accept the code"),
        ({"kind": "status", "status": 401}, "Baselime does not know this service"),
        ({"kind": "html"}, "Baselime gave no clear answer"),
        ({"kind": "drop_after"}, "Baselime gave no clear answer"),
        ({"kind": "status", "status": 500}, "Baselime gave no clear answer"),
        ({"kind": "bad_json"}, "Baselime's answer makes no sense"),
        ({"kind": "empty"}, "Baselime's answer makes no sense"),
    ],
)
def test_a_code_that_cannot_be_traded(
    bob: Page, site: Site, baselime: Baselime, fault: dict[str, Any], title: str
) -> None:
    baselime.fault(**fault)
    begin(bob, site)
    ends(bob, title)
    nothing_left(site)
    assert baselime.count() == 1


def test_an_expired_code(bob: Page, site: Site, baselime: Baselime) -> None:
    baselime.settings(code_seconds=0)
    begin(bob, site)
    ends(bob, "Baselime did not accept the code")
    nothing_left(site)


def test_a_code_that_was_here_before(bob: Page, site: Site, baselime: Baselime) -> None:
    address = f"{site.url}/install/baselime/callback?code={baselime.code()}"
    status, _ = knock(address)
    assert status == 303
    with_cookie = bob.context.request.get(address, max_redirects=0)
    assert with_cookie.status == 303
    bob.goto(address)
    ends(bob, "This code was used already")
    assert baselime.count() == 1


def test_a_vendor_that_is_busy_is_asked_again_within_the_codes_life(
    bob: Page, site: Site, baselime: Baselime
) -> None:
    baselime.fault("status", status=503, times=1)
    begin(bob, site)
    expect(bob.get_by_role("heading", name="Talking to Baselime")).to_be_visible()
    axe(bob)
    expect(bob.get_by_role("button", name="Yes, connect")).to_be_visible(timeout=15_000)
    assert baselime.count() == 2


def test_a_vendor_that_stays_down(bob: Page, site: Site, baselime: Baselime) -> None:
    baselime.fault("status", status=503)
    begin(bob, site)
    expect(bob.get_by_role("heading", name="Talking to Baselime")).to_be_visible()
    outlive(site)
    ends(bob, "Baselime cannot be reached")
    nothing_left(site)


def test_a_refusal_with_an_error(bob: Page, site: Site) -> None:
    bob.goto(f"{site.url}/connect")
    bob.get_by_role("button", name="Connect Baselime").click()
    bob.goto(f"{site.url}/install/baselime/callback?error=access_denied")
    ends(bob, "Baselime did not grant access")
    nothing_left(site)


def test_a_refusal_that_nobody_waited_for(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/install/baselime/callback?error=<script>alert(1)</script>")
    ends(page, "Baselime did not grant access", next_step="Sign in to start again")
    nothing_left(site)


def test_an_intent_that_is_never_answered(bob: Page, site: Site) -> None:
    bob.goto(f"{site.url}/connect")
    bob.get_by_role("button", name="Connect Baselime").click()
    bob.goto(f"{site.url}/connect")
    bob.get_by_role("link", name="See this attempt").click()
    expect(bob.get_by_role("heading", name="Waiting for Baselime")).to_be_visible()
    axe(bob)
    outlive(site)
    bob.reload()
    ends(bob, "No answer came from Baselime")
    nothing_left(site)


def test_no_environment(bob: Page, site: Site) -> None:
    begin(bob, site, "dora")
    ends(bob, "There is no environment to connect")
    nothing_left(site)


def test_a_workspace_that_somebody_else_holds(bob: Page, new_context: Contexts, site: Site) -> None:
    others = new_context()
    site.sign_in(others, "dan")
    connect(others.new_page(), site)
    begin(bob, site)
    ends(bob, "These workspaces are not available here", next_step="To the connections")
    assert "dan@" not in bob.content()
    assert connections(site) == 1


def test_one_of_two_workspaces_is_somebody_elses(bob: Page, new_context: Contexts, site: Site) -> None:
    others = new_context()
    site.sign_in(others, "dan")
    connect(others.new_page(), site)
    begin(bob, site, "carol")
    expect(bob.get_by_text("not available", exact=True)).to_be_visible()
    axe(bob)
    bob.get_by_role("button", name="Yes, connect").click()
    expect(bob.get_by_role("heading", name="What should be forwarded?")).to_be_visible()
    expect(bob.get_by_role("checkbox")).to_have_count(1)
    assert connections(site) == 2


def test_another_account_than_the_one_to_reconnect(bob: Page, site: Site, baselime: Baselime) -> None:
    connect(bob, site)
    bob.get_by_role("link", name="Not now").click()
    bob.get_by_role("button", name="Reconnect").click()
    baselime.authorize(bob, "bob")
    ends(bob, "This is another account")
    assert connections(site) == 1


def test_a_grant_that_nobody_confirms(bob: Page, site: Site) -> None:
    begin(bob, site)
    outlive(site)
    bob.get_by_role("button", name="Yes, connect").click()
    ends(bob, "This was not confirmed in time")
    nothing_left(site)


def test_a_cancelled_one(bob: Page, site: Site) -> None:
    begin(bob, site)
    bob.get_by_role("button", name="No, cancel and forget it").click()
    ends(bob, "Cancelled")
    nothing_left(site)


@pytest.mark.parametrize(
    "query", ["", "?code=short", "?code=aaaaaaaa&code=bbbbbbbb", "?code=%00%00%00%00%00%00%00%00"]
)
def test_an_address_without_one_usable_code(page: Page, site: Site, baselime: Baselime, query: str) -> None:
    answer = page.goto(f"{site.url}/install/baselime/callback{query}")
    assert answer is not None
    assert answer.status == 400
    ends(page, "This address has no code we can use", next_step="To the Connect page")
    assert baselime.count() == 0
