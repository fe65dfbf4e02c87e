"""A real Chromium before a running Hitchpost and its sandbox."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from tests.browser.baselime import Baselime
from tests.browser.install_stage import clear
from tests.browser.site import Site, running_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Hitchpost and the sandbox, new for each module."""
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def cleared(site: Site) -> Iterator[None]:
    """Leaves no connection, install or event behind."""
    yield
    clear(site)


@pytest.fixture
def baselime(site: Site) -> Baselime:
    """The simulated vendor's side of it."""
    return Baselime(site.sandbox)


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Call it for another browser profile. What its pages complain of is judged at the end."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def listen(page: Page) -> None:
        page.on("console", lambda said: complaints.extend(_complaint(said)))
        page.on("pageerror", lambda error: complaints.append(str(error)))

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(10_000)
        context.on("page", listen)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    """A browser profile in which nobody is signed in."""
    return new_context()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab of `context`."""
    return context.new_page()


@pytest.fixture
def bob(context: BrowserContext, site: Site) -> Page:
    """A tab in which bob is signed in."""
    site.sign_in(context, "bob")
    return context.new_page()


def _complaint(said: ConsoleMessage) -> list[str]:
    """What a page must never cause: a script error or a refusal by its own policy."""
    # A page that answers 404 is an error to the console too, and as it should be.
    if said.type != "error" or said.text.startswith("Failed to load resource"):
        return []
    return [said.text]
