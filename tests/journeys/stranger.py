"""A stranger's first minutes: a fresh checkout, `script/run`, and a browser up to the first delivered event.

`python -m tests.journeys.stranger` does it and prints how long it took.
"""

import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests import servers
from tests.services import chromium, processes
from tests.waiting import wait_for

#: The first set-up fetches and installs every package.
SETUP_SECONDS = 300.0
_LEFT_BEHIND = (".venv", "var", ".git", ".hypothesis", "__pycache__", "*_cache", "*.egg-info", "node_modules")


@dataclass
class Stranger:
    """A checkout with nothing installed, and what its one command says."""

    folder: Path
    port: int = field(default_factory=processes.free_port)
    sandbox_port: int = field(default_factory=servers.free_six)
    #: what was seen in the browser's address bar: no secret may be found anywhere else
    codes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.checkout = self.folder / "hitchpost"
        shutil.copytree(servers.CHECKOUT, self.checkout, ignore=shutil.ignore_patterns(*_LEFT_BEHIND))
        plain = {
            name: value for name, value in os.environ.items() if not name.startswith(("HITCHPOST_", "PYTHON"))
        }
        ports = {"HITCHPOST_PORT": str(self.port), "HITCHPOST_SANDBOX_PORT": str(self.sandbox_port)}
        command = f"cd {shlex.quote(str(self.checkout))} && exec script/run"
        self.program = servers.Program(["sh", "-c", command], plain | ports, self.folder / "log", alone=True)

    def start(self) -> None:
        """The one command, until it says that everything is up."""
        self.program.start()
        wait_for(
            lambda: self.program.ended() or "Ctrl-C stops" in self.said(), seconds=SETUP_SECONDS, pause=0.1
        )
        assert not self.program.ended(), self.said()

    def said(self) -> str:
        """All that it has printed."""
        return self.program.log.read_text() if self.program.log.exists() else ""

    def sign_in_words(self) -> tuple[str, str]:
        """The first admin's address and password, as printed."""
        found = re.search(r"First admin +(\S+)\n +Password +(\S+)", self.said())
        assert found, self.said()
        return found[1], found[2]


def walk(page: Page, stranger: Stranger) -> float:
    """Install at Baselime, prove the workspace, connect, send a test event: how many seconds that took."""
    page.on("request", lambda request: stranger.codes.extend(re.findall(r"[?&]code=(\w+)", request.url)))
    console = f"http://localhost:{stranger.sandbox_port + 1}"
    page.goto(console)
    page.get_by_role("link", name="Install Hitchpost demo").click()
    page.locator("input[value='ada']").check()
    page.get_by_role("button", name="Authorize Access").click()
    _sign_in(page, *stranger.sign_in_words())
    page.get_by_role("button", name="Send the code").click()
    page.get_by_label("Code").fill(_read_code(page, console))
    page.get_by_role("button", name="Check the code").click()
    page.get_by_role("button", name="Yes, connect").click()
    page.get_by_role("checkbox", name="prod in acme").check()
    page.get_by_role("button", name="Forward events there").click()
    began = time.monotonic()
    page.get_by_role("button", name="Send a test event").click()
    expect(page.get_by_text("delivered", exact=True).first).to_be_visible()
    seconds = time.monotonic() - began
    page.goto(f"{console}/inbox/acme/prod")
    expect(page.get_by_role("main")).to_contain_text("hitchpost.test")
    return seconds


def _sign_in(page: Page, email: str, password: str) -> None:
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def _read_code(page: Page, console: str) -> str:
    """Look into the workspace's inbox at Baselime, in another tab, as the workspace's owner can."""
    inbox = page.context.new_page()
    inbox.goto(f"{console}/inbox/acme/prod")
    # By the words before it: parts of an event's id may look like one.
    found = re.search(r"proof code: ([0-9A-Z]{5}-[0-9A-Z]{5})\b", inbox.get_by_role("main").inner_text())
    assert found, inbox.get_by_role("main").inner_text()
    inbox.close()
    return found[1]


def main() -> None:
    """Do it all and print the times."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        stranger = Stranger(Path(folder))
        try:
            stranger.start()
            up = time.monotonic() - began
            program = chromium.find_program()
            with sync_playwright() as playwright, closing(chromium.launch(playwright, program)) as browser:
                event = walk(browser.new_context().new_page(), stranger)
        finally:
            if not stranger.program.ended():
                stranger.program.stop()
    whole = time.monotonic() - began
    sys.stdout.write(
        f"fresh checkout → everything up: {up:.0f} s; → first delivered event: {whole:.0f} s "
        f"(the event itself: {event * 1000:.0f} ms)\n"
    )


if __name__ == "__main__":
    main()
