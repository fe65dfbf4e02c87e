"""Sources in a browser: made, shown once, given a new secret, ended."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.checks import axe, fits
from tests.browser.site import Site

pytestmark = pytest.mark.browser


def look(page: Page) -> None:
    axe(page)
    fits(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_source_is_made_shown_once_and_ended(
    new_context: Callable[..., BrowserContext], site: Site, scheme: str
) -> None:
    who, name = {"light": ("bob", "acme/shop"), "dark": ("alice", "acme/till")}[scheme]
    context = new_context(color_scheme=scheme)
    site.sign_in(context, who)
    page = context.new_page()
    page.goto(f"{site.url}/events")
    page.get_by_role("link", name="Sources").click()
    look(page)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make the source").click()
    expect(page.get_by_text(f"{site.url}/github/")).to_be_visible()
    first = page.get_by_role("button", name="Copy the secret").get_attribute("data-copy")
    assert first is not None
    look(page)
    page.get_by_role("link", name="I have entered it").click()
    assert first not in page.content()
    page.get_by_role("button", name=f"New secret for {name}").click()
    expect(page.get_by_text("The secret before this one ends")).to_be_visible()
    assert page.get_by_role("button", name="Copy the secret").get_attribute("data-copy") != first
    page.get_by_role("link", name="I have entered it").click()
    look(page)
    page.get_by_label(f"End {name}").click()
    look(page)
    page.get_by_role("button", name="Yes, end it").click()
    expect(page.get_by_role("row", name=name)).to_contain_text("ended")
