"""Librato keeps the contract."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from tests.providers.contract.provider_contract import Answer, Connected, ProviderContract
from webapp.lib.secret import Secret
from webapp.providers.base import EnvironmentListing
from webapp.providers.librato import Librato
from webapp.providers.receiving import Setback, Target
from webapp.settings import Settings


class TestLibrato(ProviderContract):
    """By e-mail and a Record Only API token."""

    answers: ClassVar[Mapping[str, Answer]] = {
        "created": Answer(status=201, settled=1),
        "accepted": Answer(status=202, settled=1),
        "a missing title": Answer(
            status=400, body=b'{"errors":{"params":{"title":["is not present"]}}}', setback=Setback.REFUSED
        ),
        "the Rails side's 401": Answer(
            status=401, body=b'{"errors":{"request":["Authorization Required"]}}', setback=Setback.KEY_REFUSED
        ),
        "the ingest side's 401": Answer(
            status=401,
            headers={"content-type": "text/plain"},
            body=b"Credentials are required to access this resource.",
            setback=Setback.KEY_REFUSED,
        ),
        "a role too weak": Answer(
            status=403,
            body=b'{"errors":{"request":["This token is not permitted to perform this action"]}}',
            setback=Setback.KEY_REFUSED,
        ),
        "a rate limit told as 403": Answer(
            status=403,
            body=b'{"request_time":1,"error":"You have hit the API limit for measurements"}',
            setback=Setback.RATE_LIMITED,
        ),
        "a rate limit": Answer(status=429, setback=Setback.RATE_LIMITED),
        "a rate limit with its time": Answer(
            status=429, headers={"retry-after": "30"}, setback=Setback.RATE_LIMITED, retry_after=30.0
        ),
        "not JSON": Answer(status=415, setback=Setback.TRANSIENT),
        "already there": Answer(status=422, setback=Setback.REFUSED),
        "unknown": Answer(status=404, setback=Setback.TRANSIENT),
        "a 2xx that says errors": Answer(
            status=200, body=b'{"errors":{"params":{"title":["is odd"]}}}', setback=Setback.REFUSED
        ),
        "too large": Answer(status=413, setback=Setback.TOO_LARGE),
        "maintenance": Answer(
            status=503, body=b'{"errors":{"system":["down for maintenance"]}}', setback=Setback.TRANSIENT
        ),
        "moved away": Answer(status=301, setback=Setback.TRANSIENT),
        "a page": Answer(status=404, body=b"<html>", setback=Setback.TRANSIENT),
    }

    @pytest.fixture
    def provider(self, settings: Settings) -> Librato:
        return Librato(settings)

    @pytest.fixture
    def connected(self, provider: Librato, accounts: dict[str, Any]) -> Connected:
        account = accounts["librato"]
        form = {"email": account["email"], "api_token": account["tokens"]["recorder"], "mint": "on"}
        proposal = provider.propose(self.http, form)
        return Connected(secrets=proposal.credentials[0].parts, details=proposal.details)

    def target(self, kind: str, connected: Connected, listing: EnvironmentListing) -> Target:
        return Target(
            kind=kind,
            account_key=listing.account_key,
            environment_key=listing.vendor_key,
            settings={"types": "*", "fields": "duration"},
            details=connected.details,
            secrets=connected.secrets,
        )

    def offline(self) -> tuple[Librato, Target]:
        secrets = {"api_token": Secret("a" * 64)}
        connected = Connected(secrets=secrets)
        listing = EnvironmentListing(account_key="ada@acme.example", vendor_key="x", ingest_key=None)
        return Librato(Settings.load({})), self.target("librato.annotations", connected, listing)
