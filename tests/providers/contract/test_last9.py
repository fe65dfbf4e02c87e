"""Last9 keeps the contract."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from tests.providers.contract.provider_contract import Answer, Connected, ProviderContract
from webapp.lib.secret import Secret
from webapp.providers.base import EnvironmentListing
from webapp.providers.last9 import Last9
from webapp.providers.receiving import Setback, Target
from webapp.settings import Settings


class TestLast9(ProviderContract):
    """By a pasted write refresh token."""

    answers: ClassVar[Mapping[str, Answer]] = {
        "success": Answer(status=200, body=b'{"message":"success"}', settled=1),
        "any 2xx": Answer(status=204, settled=1),
        "expired": Answer(
            status=401, body=b'{"error":"Authorization token is expired"}', setback=Setback.KEY_REFUSED
        ),
        "expired, told as 403": Answer(
            status=403, body=b'{"error":"Authorization token is expired"}', setback=Setback.KEY_REFUSED
        ),
        "expired, told as 400": Answer(
            status=400, body=b'{"error":"Authorization token is expired"}', setback=Setback.KEY_REFUSED
        ),
        "a garbled access token": Answer(
            status=400, body=b'{"error":"invalid refresh token: x"}', setback=Setback.KEY_REFUSED
        ),
        "a header without Bearer": Answer(
            status=400, body=b'{"error":"invalid access token"}', setback=Setback.KEY_REFUSED
        ),
        "too low a scope": Answer(status=403, setback=Setback.KEY_REFUSED),
        "the wrong organization": Answer(status=404, setback=Setback.TRANSIENT),
        "a bad event": Answer(
            status=400, body=b'{"error":"event_name is required"}', setback=Setback.REFUSED
        ),
        "an event that it cannot read": Answer(
            status=400, body=b'{"error":"unexpected token < in JSON"}', setback=Setback.REFUSED
        ),
        "a 2xx that says error": Answer(
            status=200, body=b'{"error":"unknown data source"}', setback=Setback.REFUSED
        ),
        "a proxy's page": Answer(status=413, body=b"<html>", setback=Setback.TOO_LARGE),
        "too large": Answer(status=413, setback=Setback.TOO_LARGE),
        "a limit on series": Answer(status=422, setback=Setback.REFUSED),
        "slow down": Answer(
            status=429, headers={"retry-after": "7"}, setback=Setback.RATE_LIMITED, retry_after=7.0
        ),
        "maintenance": Answer(status=502, body=b"<html>Maintenance Mode</html>", setback=Setback.TRANSIENT),
        "a page that says 200": Answer(
            status=200, headers={"content-type": "text/html"}, body=b"<html>", setback=Setback.TRANSIENT
        ),
        "a redirect": Answer(status=302, setback=Setback.TRANSIENT),
    }

    @pytest.fixture
    def provider(self, settings: Settings) -> Last9:
        return Last9(settings)

    @pytest.fixture
    def connected(self, provider: Last9, accounts: dict[str, Any]) -> Connected:
        proposal = provider.propose(self.http, {"refresh_tokens": accounts["last9"]["tokens"]["write"]})
        (credential,) = proposal.credentials
        return Connected(secrets=credential.parts, details=proposal.details, scope=credential.scope)

    def target(self, kind: str, connected: Connected, listing: EnvironmentListing) -> Target:
        return Target(
            kind=kind,
            account_key=listing.account_key,
            environment_key=listing.vendor_key,
            settings={"types": "*"},
            details=connected.details,
            secrets=connected.secrets,
        )

    def offline(self) -> tuple[Last9, Target]:
        connected = Connected(
            secrets={"access_token": Secret("a")}, details={"host": "app.last9.io", "organization": "acme"}
        )
        listing = EnvironmentListing(account_key="acme", vendor_key="acme", ingest_key=None)
        return Last9(Settings.load({})), self.target("last9.change_events", connected, listing)
