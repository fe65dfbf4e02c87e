"""Last9 and Librato in a real browser: pasted, confirmed, fed, and accessible on the way."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.checks import axe, fits
from tests.browser.install_stage import connections
from tests.browser.site import Site
from tests.vendors import Vendors
from tests.waiting import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("cleared")]

Contexts = Callable[..., BrowserContext]


@pytest.fixture
def vendors(site: Site) -> Vendors:
    return Vendors(site.sandbox)


@pytest.fixture(params=["light", "dark"])
def bob(new_context: Contexts, site: Site, request: pytest.FixtureRequest) -> Page:
    """A tab in which bob is signed in: once in light, once in dark."""
    context = new_context(color_scheme=request.param)
    site.sign_in(context, "bob")
    return context.new_page()


def look(page: Page) -> None:
    axe(page)
    fits(page)


LABELS = {
    "last9": {"refresh_tokens": "Refresh token", "base_url": "Base URL"},
    "librato": {"email": "E-mail", "api_token": "API token"},
}
TITLES = {"last9": "Last9", "librato": "Librato"}
KINDS = {"last9": "Change events", "librato": "Annotations"}


def paste(page: Page, vendor: str, values: dict[str, str]) -> None:
    for name, label in LABELS[vendor].items():
        page.get_by_label(label).fill(values[name])
    page.get_by_role("button", name=f"Check it at {TITLES[vendor]}").click()


@pytest.mark.parametrize("vendor", ["last9", "librato"])
def test_from_connect_over_an_error_to_the_event_there(
    bob: Page, site: Site, vendors: Vendors, vendor: str
) -> None:
    bob.goto(f"{site.url}/connect")
    look(bob)
    bob.get_by_role("link", name=f"Connect {TITLES[vendor]}").click()
    look(bob)
    weak = {"last9": "read", "librato": "viewer"}[vendor]
    paste(bob, vendor, vendors.pasted(vendor, weak))
    wrong = bob.get_by_label({"last9": "Refresh token", "librato": "API token"}[vendor], exact=True)
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_have_value("")
    look(bob)
    paste(bob, vendor, vendors.pasted(vendor))
    expect(bob.get_by_role("heading", name="What was found")).to_be_visible()
    look(bob)
    assert connections(site) == 0
    bob.get_by_role("button", name="Yes, connect").dblclick()
    expect(bob.get_by_role("heading", name="What should be forwarded?")).to_be_visible()
    look(bob)
    panel = bob.get_by_role("region", name=KINDS[vendor])
    panel.get_by_role("checkbox").check()
    panel.get_by_text("Settings:").click()
    look(bob)
    bob.get_by_role("button", name="Forward events there").click()
    bob.get_by_role("button", name="Send a test event").click()
    expect(bob.get_by_text("delivered", exact=True).first).to_be_visible()
    wait_for(lambda: len(vendors.taken(vendor)) > 1)
    taken = [event.get("event_name") or event["title"] for event in vendors.taken(vendor)]
    assert taken == ["hitchpost.connected", "hitchpost.test"]
    assert connections(site) == 1


def test_a_double_click_on_yes_makes_one_token_and_a_disconnect_deletes_it(
    bob: Page, site: Site, vendors: Vendors
) -> None:
    bob.goto(f"{site.url}/connect/librato")
    paste(bob, "librato", vendors.pasted("librato"))
    bob.get_by_role("button", name="Yes, connect").dblclick()
    expect(bob.get_by_role("heading", name="What should be forwarded?")).to_be_visible()
    assert len(vendors.minted()) == 1
    bob.get_by_role("link", name="Not now").click()
    look(bob)
    bob.get_by_role("link", name="Disconnect…").click()
    expect(bob.get_by_role("main")).to_contain_text(re.compile(r"Hitchpost made itself .*“Hitchpost 127"))
    look(bob)
    bob.get_by_label("A Full Access API token").fill("nonsense")
    bob.get_by_role("button", name="Disconnect and forget").click()
    expect(bob.get_by_text("is too short")).to_be_visible()
    look(bob)
    bob.get_by_label("A Full Access API token").fill(vendors.pasted("librato")["api_token"])
    bob.get_by_role("button", name="Disconnect and forget").click()
    expect(bob.get_by_role("heading", name="is disconnected")).to_be_visible()
    assert vendors.minted() == []
