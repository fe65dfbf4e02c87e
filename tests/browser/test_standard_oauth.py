"""A standard vendor in a real browser: authorized at a real server, confirmed, refused, and not believed."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.checks import axe, fits
from tests.browser.install_stage import connections, nothing_left
from tests.browser.site import Site, running_site
from tests.services.oidc import OidcServer

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("cleared")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, oidc_server: OidcServer) -> Iterator[Site]:
    """Hitchpost that knows the server by two of our Clients, as two vendors."""
    events = "http://localhost:9/events"
    vendors = {
        "basic": oidc_server.entry(scopes="openid email offline_access"),
        "post": oidc_server.entry("post", title="Southwind", events_url=events),
    }
    with running_site(tmp_path_factory.mktemp("site"), oauth2=vendors) as running:
        yield running


def _stay_home(route: Route) -> None:
    local = route.request.url.startswith(("http://localhost:", "http://127.0.0.1:"))
    route.continue_() if local else route.abort()  # the server's own page asks for a font of the Internet


@pytest.fixture(params=["light", "dark"])
def bob(new_context: Callable[..., BrowserContext], site: Site, request: pytest.FixtureRequest) -> Page:
    """A tab in which bob is signed in: once in light, once in dark."""
    context = new_context(color_scheme=request.param)
    context.route("**/*", _stay_home)
    site.sign_in(context, "bob")
    return context.new_page()


def look(page: Page) -> None:
    axe(page)
    fits(page)


def go(page: Page, site: Site, title: str = "Northwind") -> None:
    """From the Connect page to the server's sign-in."""
    page.goto(f"{site.url}/connect")
    page.get_by_role("button", name=f"Connect {title}").click()
    page.wait_for_url("http://localhost:*/interaction/*")


def agree(page: Page, login: str = "ada") -> None:
    page.locator("[name=login]").fill(login)
    page.locator("[name=password]").fill("any")
    page.locator("button[type=submit]").click()
    expect(page.locator("[name=prompt]")).to_have_value("consent")
    page.locator("button[type=submit]").click()
    page.wait_for_url("http://127.0.0.1:*/install/*")


def test_from_connect_to_the_account_s_page_and_out_again(
    bob: Page, site: Site, oidc_server: OidcServer
) -> None:
    bob.goto(f"{site.url}/connect")
    look(bob)
    go(bob, site)
    agree(bob)
    expect(bob.get_by_role("heading", name="Connect this account?")).to_be_visible()
    expect(bob.get_by_role("main")).to_contain_text("ada@vendor.test")
    expect(bob.get_by_role("main")).to_contain_text("nothing is forwarded.")
    look(bob)
    assert connections(site) == 0
    bob.get_by_role("button", name="Yes, connect").dblclick()
    expect(bob.get_by_role("heading", name="ada@vendor.test")).to_be_visible()
    expect(bob.get_by_role("main")).to_contain_text("takes no events from here")
    look(bob)
    assert connections(site) == 1
    ended = oidc_server.counts().get("grant.revoked", 0)
    bob.get_by_role("link", name="Disconnect…").click()
    look(bob)
    bob.get_by_role("button", name="Disconnect and forget").click()
    expect(bob.get_by_role("heading", name="is disconnected")).to_be_visible()
    assert oidc_server.counts()["grant.revoked"] == ended + 1


def test_one_with_an_address_for_events_asks_what_to_forward(bob: Page, site: Site) -> None:
    go(bob, site, "Southwind")
    agree(bob)
    bob.get_by_role("button", name="Yes, connect").click()
    expect(bob.get_by_role("heading", name="What should be forwarded?")).to_be_visible()
    expect(bob.get_by_role("region", name="CloudEvents")).to_be_visible()
    look(bob)


def test_a_refusal_there_has_its_page_here(bob: Page, site: Site) -> None:
    go(bob, site)
    bob.get_by_role("link", name="Cancel").click()
    expect(bob.get_by_role("main")).to_contain_text("access_denied")
    look(bob)
    nothing_left(site)


def test_an_answer_of_another_browser_is_not_believed(
    bob: Page, site: Site, oidc_server: OidcServer, new_context: Callable[..., BrowserContext]
) -> None:
    other = new_context()
    site.sign_in(other, "dan")
    page = other.new_page()
    page.goto(f"{site.url}/connect")
    with page.expect_request("http://localhost:*/auth?*") as request:
        page.get_by_role("button", name="Connect Northwind").click()
    answer = oidc_server.agree(request.value.url)
    before = oidc_server.counts()
    bob.goto(answer)
    expect(bob.get_by_role("heading", name="This answer was not asked for here")).to_be_visible()
    look(bob)
    assert oidc_server.counts().get("/token", 0) == before.get("/token", 0)
    assert connections(site) == 0


def test_the_page_that_leads_there_stands_where_a_browser_does_not_go_on(bob: Page, site: Site) -> None:
    bob.goto(f"{site.url}/connect")
    bob.route("http://localhost:*/auth?*", lambda route: route.fulfill(status=204))
    with bob.expect_response("http://localhost:*/auth?*"):
        bob.get_by_role("button", name="Connect Southwind").click()
    expect(bob.get_by_role("heading", name="Going to Southwind")).to_be_visible()
    look(bob)
