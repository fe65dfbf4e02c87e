"""The attacks on an install that carries no state, T1 to T9 of its threat model, in a real browser.

The victim is bob, who installs as Baselime's developer ada; mallory holds birch there and is dan here.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select

from tests.browser.baselime import Baselime
from tests.browser.install_stage import (
    begin,
    connect,
    connections,
    elsewhere,
    knock,
    nothing_linked,
    proof_code,
)
from tests.browser.site import PASSWORD, Site
from webapp.models import Install, InstallState

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("cleared")]

Contexts = Callable[..., BrowserContext]
UNASKED = "Nobody pressed Connect here before this came."


@pytest.fixture
def victim(browser: Browser, site: Site) -> Iterator[Page]:
    """A tab in which bob is signed in; what other people's pages complain of there is expected."""
    with_session = browser.new_context()
    site.sign_in(with_session, "bob")
    yield with_session.new_page()
    with_session.close()


@pytest.fixture
def mallory(browser: Browser, site: Site) -> Iterator[Page]:
    """A tab in which dan, who attacks, is signed in."""
    with_session = browser.new_context()
    site.sign_in(with_session, "dan")
    yield with_session.new_page()
    with_session.close()


def callback(site: Site, code: str) -> str:
    return f"{site.url}/install/baselime/callback?code={code}"


def states(site: Site) -> list[InstallState]:
    with site.runtime.database.read() as session:
        return list(session.scalars(select(Install.state).order_by(Install.created_at)))


def no_confirm_button(page: Page) -> None:
    expect(page.get_by_text(UNASKED)).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Yes"))).to_have_count(0)


# T1: login CSRF — the attacker's code in the victim's browser


@pytest.mark.parametrize("how", ["script", "link", "refresh"])
def test_t1_a_code_that_somebody_else_brought_is_not_linked_by_a_click(
    victim: Page, site: Site, baselime: Baselime, how: str
) -> None:
    address = callback(site, baselime.code("bob"))
    html = {
        "script": f"<script>location.href = '{address}'</script>",
        "link": f"<a href='{address}'>Go on</a><script>document.links[0].click()</script>",
        "refresh": f"<meta http-equiv='refresh' content='0;url={address}'>",
    }[how]
    with elsewhere(html) as trap:
        victim.goto(trap)
        no_confirm_button(victim)
    nothing_linked(site)


def test_t1_not_even_while_the_victim_waits_for_their_own(
    victim: Page, site: Site, baselime: Baselime
) -> None:
    victim.goto(f"{site.url}/connect")
    victim.get_by_role("button", name="Connect Baselime").click()
    expect(victim.get_by_role("heading", name="Connect Hitchpost demo to Baselime")).to_be_visible()
    address = callback(site, baselime.code("bob"))
    with elsewhere(f"<script>location.href = '{address}'</script>") as trap:
        victim.goto(trap)
        no_confirm_button(victim)
    nothing_linked(site)


def test_t1_and_a_second_code_takes_the_trust_from_the_first(
    victim: Page, site: Site, baselime: Baselime
) -> None:
    begin(victim, site)
    own = victim.url
    victim.goto(callback(site, baselime.code("bob")))
    victim.goto(own)
    no_confirm_button(victim)


def test_t1_the_proof_goes_where_the_victim_cannot_read(victim: Page, site: Site, baselime: Baselime) -> None:
    victim.goto(callback(site, baselime.code("bob")))
    victim.get_by_role("button", name="Send the code").click()
    expect(victim.get_by_text("Never use a code that somebody sent you.")).to_be_visible()
    assert [one["account"] for one in baselime.events("hitchpost.proof")] == ["birch/prod"]
    nothing_linked(site)


# T2: code injection — the victim's code in the attacker's browser


def test_t2_a_stolen_code_gives_the_thief_nothing(mallory: Page, site: Site, baselime: Baselime) -> None:
    mallory.goto(callback(site, baselime.code("ada")))
    no_confirm_button(mallory)
    mallory.get_by_role("button", name="Send the code").click()
    for _ in range(5):
        mallory.get_by_label("Code").fill("AAAAA-AAAAA")
        mallory.get_by_role("button", name="Check the code").click()
    expect(mallory.get_by_role("heading", name="The code was wrong five times")).to_be_visible()
    assert states(site) == [InstallState.FAILED]
    nothing_linked(site)


def test_t2_not_even_with_an_intent_of_the_thiefs_own(mallory: Page, site: Site, baselime: Baselime) -> None:
    mallory.goto(f"{site.url}/connect")
    mallory.get_by_role("button", name="Connect Baselime").click()
    mallory.goto(callback(site, baselime.code("ada")))
    no_confirm_button(mallory)
    nothing_linked(site)


# T3: somebody else's browser claims a pending grant


def test_t3_a_pending_grant_is_there_for_its_own_browser_only(
    page: Page, new_context: Contexts, mallory: Page, site: Site, baselime: Baselime
) -> None:
    baselime.visit(page)
    expect(page.get_by_role("heading", name="Connect this workspace?")).to_be_visible()
    for other in (mallory, new_context().new_page()):
        answer = other.goto(page.url)
        assert answer is not None
        assert answer.status == 404
        assert "acme" not in other.content()
    page.reload()
    expect(page.get_by_role("heading", name="Connect this workspace?")).to_be_visible()


def test_t3_nor_does_the_same_code_open_it_elsewhere(mallory: Page, site: Site, baselime: Baselime) -> None:
    code = baselime.code("ada")
    knock(callback(site, code))
    mallory.goto(callback(site, code))
    victims = mallory.context.browser.new_context() if mallory.context.browser else None
    assert victims is not None
    site.sign_in(victims, "bob")
    late = victims.new_page()
    late.goto(callback(site, code))
    for tab in (mallory, late):
        assert "code=" not in tab.url
        expect(tab.get_by_role("button", name=re.compile("^Yes"))).to_have_count(0)
    assert baselime.count() == 1
    nothing_linked(site)
    victims.close()


# T4: session fixation and tossed cookies


def test_t4_a_planted_session_is_worth_nothing_after_the_sign_in(
    new_context: Contexts, site: Site, baselime: Baselime
) -> None:
    attackers, victims = new_context(), new_context()
    site.sign_in(attackers, "dan")
    victims.add_cookies(attackers.cookies())  # type: ignore[arg-type]  # the same cookies, in another browser
    page = victims.new_page()
    page.goto(f"{site.url}/connect")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("E-mail").fill("bob@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    begin(page, site)
    spy = attackers.new_page()
    spy.goto(page.url)
    assert "acme" not in spy.content()
    spy.goto(f"{site.url}/connections")
    expect(spy).to_have_url(re.compile("/sign-in"))


def test_t4_a_tossed_candidate_cookie_opens_no_other_install(
    new_context: Contexts, site: Site, baselime: Baselime
) -> None:
    attackers, victims = new_context(), new_context()
    theirs, ours = attackers.new_page(), victims.new_page()
    baselime.visit(theirs, "bob")
    baselime.visit(ours, "ada")
    tossed = next(one for one in attackers.cookies() if one["name"].startswith("install-"))
    wanted = UUID(ours.url.rpartition("/")[2]).hex
    attackers.add_cookies([{"name": f"install-{wanted}", "value": tossed["value"], "url": site.url}])
    answer = theirs.goto(ours.url)
    assert answer is not None
    assert answer.status == 404


# T5 and T6: the confirmation is a click of its owner on our own page


def test_t5_the_page_cannot_be_put_into_a_frame(victim: Page, site: Site, baselime: Baselime) -> None:
    begin(victim, site)
    with elsewhere(f"<iframe src='{victim.url}' width='800' height='600'></iframe>") as trap:
        victim.goto(trap)
        victim.frames[1].wait_for_load_state()
        assert "Yes, connect" not in victim.frames[1].content()


def test_t6_another_site_cannot_confirm(victim: Page, site: Site, baselime: Baselime) -> None:
    begin(victim, site)
    address, seal = victim.url, victim.locator("input[name=seal]").input_value()
    token = victim.locator("input[name=csrf_token]").first.input_value()
    form = (
        f"<form method='post' action='{address}/confirm'><input name='seal' value='{seal}'>"
        f"<input name='csrf_token' value='{token}'><button>Win</button></form>"
    )
    with elsewhere(form) as trap:
        victim.goto(trap)
        victim.get_by_role("button", name="Win").click()
        expect(victim.get_by_role("heading", name="This is not allowed")).to_be_visible()
    nothing_linked(site)
    answer = victim.goto(f"{address}/confirm")  # nor does following a link
    assert answer is not None
    assert answer.status == 405


def test_t6_the_seal_of_one_page_confirms_no_other(victim: Page, site: Site, baselime: Baselime) -> None:
    begin(victim, site)
    victim.evaluate("document.querySelector('input[name=seal]').value = '0'.repeat(64)")
    victim.get_by_role("button", name="Yes, connect").click()
    expect(victim.get_by_role("alert")).to_contain_text("Nothing was connected")
    nothing_linked(site)


# T7: scanners, prefetch, images, frames, and many at once


def test_t7_images_frames_and_prefetch_spend_no_code(victim: Page, site: Site, baselime: Baselime) -> None:
    address = callback(site, baselime.code("ada"))
    html = (
        f"<img src='{address}'><iframe src='{address}'></iframe><link rel='prefetch' href='{address}'>"
        f"<object data='{address}'></object><embed src='{address}'>"
        f"<script>fetch('{address}', {{mode: 'no-cors'}}).finally(() => document.title = 'tried')</script>"
    )
    with elsewhere(html) as trap:
        victim.goto(trap, wait_until="load")
        expect(victim).to_have_title("tried")
    assert baselime.count() == 0
    assert states(site) == []
    victim.goto(address)
    expect(victim.get_by_text(UNASKED)).to_be_visible()
    assert baselime.count() == 1


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}),
        ("GET", {"Purpose": "prefetch"}),
        ("GET", {"X-Moz": "prefetch"}),
    ],
)
def test_t7_scanners_and_link_previews_spend_no_code(
    site: Site, baselime: Baselime, method: str, headers: dict[str, str]
) -> None:
    _, onward = knock(callback(site, baselime.code("ada")), method, headers)
    assert onward == ""
    assert baselime.count() == 0


def test_t7_fifty_callbacks_at_once_are_one_exchange(site: Site, baselime: Baselime) -> None:
    address = callback(site, baselime.code("ada"))
    baselime.fault("delay", delay=0.5)
    with ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(knock, [address] * 50))
    assert {status for status, _ in answers} == {303}
    assert len({onward for _, onward in answers}) == 1
    assert baselime.count() == 1
    assert states(site) == [InstallState.PENDING]


# T8: our callback as an oracle, with our client secret


def test_t8_a_flood_of_codes_is_held_back_before_the_vendor(site: Site, baselime: Baselime) -> None:
    statuses = [knock(callback(site, f"{number:032x}"))[0] for number in range(120)]
    assert statuses[:90] == [303] * 90
    assert statuses[90:] == [429] * 30
    assert baselime.count() == 90


# T9: a code at another vendor's address


@pytest.mark.parametrize("vendor", ["last9", "librato", "nobody"])
def test_t9_a_code_is_never_taken_elsewhere(
    victim: Page, site: Site, baselime: Baselime, vendor: str
) -> None:
    code = baselime.code("ada")
    victim.goto(f"{site.url}/install/{vendor}/callback?code={code}")
    assert baselime.count() == 0
    assert states(site) == []


def test_the_honest_way_still_works_beside_all_this(victim: Page, site: Site) -> None:
    connect(victim, site)
    assert connections(site) == 1


def test_a_code_read_in_ones_own_workspace_is_good_for_one_install(
    victim: Page, mallory: Page, site: Site, baselime: Baselime
) -> None:
    for tab, developer in ((victim, "ada"), (mallory, "bob")):
        tab.goto(callback(site, baselime.code(developer)))
        tab.get_by_role("button", name="Send the code").click()
        expect(tab.get_by_label("Code")).to_be_visible()
    mallory.get_by_label("Code").fill(proof_code(site, "acme/prod"))
    mallory.get_by_role("button", name="Check the code").click()
    expect(mallory.get_by_role("alert").first).to_contain_text("That is not the code")
    nothing_linked(site)
