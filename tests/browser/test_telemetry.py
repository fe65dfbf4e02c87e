"""OpenTelemetry data in a browser: chosen, exported, and shown so that a person can read it."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests import otlp
from tests.browser.checks import axe, fits
from tests.browser.install_stage import connect
from tests.browser.site import Site
from webapp.core.events import accept_otlp
from webapp.lib.otlp import SIGNALS

pytestmark = pytest.mark.browser


def look(page: Page) -> None:
    axe(page)
    fits(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_export_is_chosen_for_forwarded_and_readable(
    new_context: Callable[..., BrowserContext], site: Site, scheme: str
) -> None:
    who, developer = {"light": ("bob", "ada"), "dark": ("dan", "bob")}[scheme]
    context = new_context(color_scheme=scheme)
    site.sign_in(context, who)
    page = context.new_page()
    connect(page, site, developer)
    page.get_by_text("OpenTelemetry: logs, traces, metrics").click()
    for signal in SIGNALS:
        page.get_by_role("group", name=f"Environments for {signal}").get_by_role("checkbox").first.check()
    look(page)
    page.get_by_role("button", name="Forward events there").click()
    expect(page.get_by_text("OTEL_EXPORTER_OTLP_HEADERS")).to_be_visible()
    look(page)
    for signal in SIGNALS:
        payload = otlp.export(signal, f"hello {signal}").SerializeToString()
        accept_otlp(
            site.runtime, SIGNALS[signal], payload, as_json=False, user=str(site.people[who]), only_user=None
        )
    page.goto(f"{site.url}/events")
    page.get_by_role("link", name="otlp.traces").click()
    expect(page.get_by_text("delivered", exact=True)).to_have_count(1)
    page.get_by_text("What it holds").click()
    expect(page.get_by_text('"name": "hello traces"')).to_be_visible()
    look(page)
