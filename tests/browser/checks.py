"""What every page promises to everybody: WCAG 2.2 AA, and no scrolling sideways on a phone."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_WCAG = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}
NARROW, WIDE = 360, 1600


def axe(page: Page) -> None:
    """Assert that axe-core finds no violation of WCAG 2.2 AA."""
    page.wait_for_load_state()
    found = Axe().run(page, options=_WCAG).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], page.url


def fits(page: Page) -> None:
    """Assert that the page is no wider than the window, from a phone to a large screen."""
    before = page.viewport_size
    assert before is not None
    for width in (NARROW, 768, WIDE):
        page.set_viewport_size({"width": width, "height": 740})
        needed = page.evaluate("document.documentElement.scrollWidth")
        assert needed <= width, f"{page.url} needs {needed} px of {width}"
    page.set_viewport_size(before)
