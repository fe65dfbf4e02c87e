"""Chromium for the tests: found, or fetched; and how to start it."""

import os
import shutil
from pathlib import Path

from playwright.sync_api import Browser, Playwright

from tests.services.fetch import Missing, apt, npm_chromium, one_at_a_time

GIVEN = "HITCHPOST_TEST_CHROMIUM"
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_FOLDERS = ("/usr/bin", "/usr/lib/chromium")


def find_program() -> Path:
    """The given Chromium, one on this machine, Debian's if we are root, or else npm's."""
    if given := os.environ.get(GIVEN):
        if not os.access(given, os.X_OK):
            raise Missing(f"{GIVEN} names {given}, which cannot be run. Correct it or unset it.")
        return Path(given)
    if (found := _installed()) is not None:
        return found
    with one_at_a_time():
        if _installed() is None:
            apt("chromium-headless-shell")
        return _installed() or _from_npm()


def launch(playwright: Playwright, program: Path) -> Browser:
    """Start it without a window. Only root goes without Chromium's own sandbox, which refuses root."""
    quiet = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
    ]
    return playwright.chromium.launch(executable_path=program, args=quiet, chromium_sandbox=os.geteuid() != 0)


def _installed() -> Path | None:
    places = os.pathsep.join((os.environ.get("PATH", ""), *_FOLDERS))
    found = next(filter(None, (shutil.which(name, path=places) for name in _NAMES)), None)
    return Path(found) if found else None


def _from_npm() -> Path:
    unpacked = npm_chromium() / "unpacked"
    if not (unpacked / "chromium").exists():
        raise Missing(
            f"No Chromium. Install it (Debian: apt-get install chromium-headless-shell), or set {GIVEN}."
        )
    # It brings its own NSS, which a machine without any browser may lack.
    wrapper = unpacked / "chromium.sh"
    wrapper.write_text(
        f'#!/bin/sh\nexport LD_LIBRARY_PATH="{unpacked}/al2023/lib"\nexec "{unpacked}/chromium" "$@"\n'
    )
    wrapper.chmod(0o755)
    return wrapper
