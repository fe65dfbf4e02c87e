"""The vendors' stand-in: one sandbox a test run."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from webapp.sandbox import serve
from webapp.settings import Settings


@pytest.fixture(scope="module")
def sandbox_urls() -> Iterator[dict[str, str]]:
    """The sandbox's addresses, by vendor."""
    with serve(port=0) as sandbox:
        yield sandbox.urls


@pytest.fixture(scope="module")
def accounts(sandbox_urls: dict[str, str]) -> dict[str, Any]:
    """The sandbox's accounts, as its control API gives them."""
    with urllib.request.urlopen(f"{sandbox_urls['console']}/api/accounts") as answer:  # noqa: S310 - loopback
        accounts: dict[str, Any] = json.load(answer)
    return accounts


@pytest.fixture
def settings(sandbox_urls: dict[str, str], accounts: dict[str, Any]) -> Settings:
    """Settings that point every provider at the sandbox."""
    return Settings.load(
        {
            "HITCHPOST_BASELIME_CLIENT_ID": accounts["baselime"]["client_id"],
            "HITCHPOST_BASELIME_CLIENT_SECRET": accounts["baselime"]["client_secret"],
            "HITCHPOST_BASELIME_CONSOLE_URL": sandbox_urls["baselime"],
            "HITCHPOST_BASELIME_API_URL": sandbox_urls["baselime"],
            "HITCHPOST_BASELIME_EVENTS_URL": sandbox_urls["baselime_events"],
            "HITCHPOST_BASELIME_OTEL_URL": sandbox_urls["baselime_otel"],
            "HITCHPOST_LAST9_URL": sandbox_urls["last9"],
            "HITCHPOST_LIBRATO_URL": sandbox_urls["librato"],
        }
    )
