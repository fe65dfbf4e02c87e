"""One command on a fresh checkout, one browser, one delivered event; and no secret left lying about."""

import base64
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser

from tests.journeys.stranger import Stranger, walk

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Stranger]:
    stranger = Stranger(tmp_path)
    yield stranger
    if not stranger.program.ended():
        stranger.program.kill()


def test_a_stranger_gets_to_the_first_delivered_event(stranger: Stranger, browser: Browser) -> None:
    stranger.start()
    context = browser.new_context()
    context.set_default_timeout(15_000)
    walk(context.new_page(), stranger)
    secrets = _secrets(stranger) | {
        cookie["value"] for cookie in context.cookies() if len(cookie["value"]) > 20
    }
    context.close()
    assert stranger.codes
    found = _found(secrets, stranger)
    assert found == []
    before = stranger.sign_in_words()
    stranger.program.stop(signal.SIGINT)
    assert "Traceback" not in stranger.said()
    stranger.program.log.unlink()
    stranger.start()
    assert stranger.sign_in_words() == before


def _secrets(stranger: Stranger) -> set[str]:
    """Everything secret that passed by, as the vendor knows it."""
    with urlopen(f"http://localhost:{stranger.sandbox_port}/api/accounts", timeout=5) as answer:
        baselime = json.load(answer)["baselime"]
    keys = {environment["apiKey"] for environment in baselime["environments"]}
    # What every access and refresh token of the sandbox begins with.
    return {baselime["client_secret"], *keys, *stranger.codes, "sandbox-access-", "sandbox-refresh-"}


def _found(secrets: set[str], stranger: Stranger) -> list[str]:
    """Files that hold one of the secrets, plain or in hex or base64."""
    home = stranger.checkout / "var"
    files = [path for path in home.iterdir() if path.name.startswith("hitchpost.db")] + [stranger.program.log]
    assert len(files) > 1
    return [
        f"{path.name}: {secret[:16]}…"
        for path in files
        for secret in sorted(secrets)
        if any(form in path.read_bytes() for form in _forms(secret.encode()))
    ]


def _forms(secret: bytes) -> Iterator[bytes]:
    yield secret
    yield secret.hex().encode()
    # At each of the three places where it may begin in a group of base64; the edges depend on neighbours.
    for shift in range(3):
        yield base64.b64encode(b"\0" * shift + secret)[4:-4]
