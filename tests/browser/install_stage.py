"""The stage of the install tests: what is read off the database, and an attacker's page."""

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect
from sqlalchemy import delete, func, select
from werkzeug import Request, Response
from werkzeug.serving import make_server

from tests.browser.baselime import Baselime
from tests.browser.site import Site
from webapp.models import (
    OPEN_STATES,
    AuditLine,
    Connection,
    ConnectionState,
    Credential,
    Destination,
    Errand,
    Install,
    Notice,
    Stream,
)
from webapp.ui._throttle import install_throttle


def clear(site: Site) -> None:
    """Forget all connections, streams and installs; people and their sessions stay. Tries count anew."""
    Baselime(site.sandbox).reset()
    install_throttle(site.app, site.runtime.settings)
    with site.runtime.database.write() as session:
        for table in (Install, Errand, Notice, AuditLine, Stream, Connection):
            session.execute(delete(table))


def connections(site: Site) -> int:
    """How many connections are open."""
    return _count(
        site, select(func.count(Connection.id)).where(Connection.state != ConnectionState.DISCONNECTED)
    )


def nothing_linked(site: Site) -> None:
    """Assert that no connection, credential or destination came to be."""
    for table in (Connection, Credential, Destination):
        assert _count(site, select(func.count()).select_from(table)) == 0, table.__name__


def nothing_left(site: Site) -> None:
    """Assert besides that no install is open and none holds anything sealed."""
    nothing_linked(site)
    assert _count(site, select(func.count(Install.id)).where(Install.state.in_(OPEN_STATES))) == 0
    assert _count(site, select(func.count(Install.id)).where(Install.sealed.is_not(None))) == 0


def begin(page: Page, site: Site, developer: str = "ada") -> None:
    """App-first: from the Connect page over Baselime to the install's page here."""
    page.goto(f"{site.url}/connect")
    page.get_by_role("button", name="Connect Baselime").click()
    Baselime(site.sandbox).authorize(page, developer)
    page.wait_for_url(f"{site.url}/install/**")


def connect(page: Page, site: Site, developer: str = "ada") -> None:
    """The same, confirmed: ends on the page that asks what to forward."""
    begin(page, site, developer)
    page.get_by_role("button", name="Yes, connect").click()
    expect(page.get_by_role("heading", name="What should be forwarded?")).to_be_visible()


def proof_code(site: Site, account: str) -> str:
    """What somebody who can read the workspace finds there."""
    sent = [one for one in Baselime(site.sandbox).events("hitchpost.proof") if one["account"] == account]
    words: str = sent[-1]["event"]["message"]
    return words.partition("code: ")[2].partition(".")[0]


@contextmanager
def elsewhere(html: str, host: str = "localhost") -> Iterator[str]:
    """A page of somebody else, on another host name than ours."""

    @Request.application
    def answer(_: Request) -> Response:
        return Response(html, content_type="text/html")

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    server.log = lambda *_: None  # type: ignore[method-assign]  # quiet
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def knock(address: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Ask without a browser, following nothing: the status, and where it would lead."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", headers=dict(headers or {}))
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("Location", "")
    finally:
        connection.close()


def _count(site: Site, query: object) -> int:
    with site.runtime.database.read() as session:
        return int(session.execute(query).scalar_one())  # type: ignore[call-overload]  # a SELECT of one number
