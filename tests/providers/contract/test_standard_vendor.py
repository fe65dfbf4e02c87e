"""A standard vendor keeps the contract, at an authorization server that nobody here wrote."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request
from werkzeug import Response as Answered

from tests.providers.contract.provider_contract import Answer, Connected, ProviderContract
from tests.services.oidc import OidcServer
from webapp.lib.secret import Secret
from webapp.oauth2_vendors import OAuth2Vendor
from webapp.providers.base import EnvironmentListing
from webapp.providers.oauth2 import StandardVendor
from webapp.providers.receiving import Setback, Target
from webapp.settings import Settings


class TestStandardVendor(ProviderContract):
    """By an authorization request."""

    answers: ClassVar[Mapping[str, Answer]] = {
        "taken": Answer(status=202, events=3, settled=3),
        "any 2xx": Answer(status=204, settled=1),
        "an access token that ended": Answer(
            status=401, body=b'{"error":"invalid_token"}', setback=Setback.KEY_REFUSED
        ),
        "too low a scope": Answer(status=403, setback=Setback.KEY_REFUSED),
        "a bad batch": Answer(status=400, setback=Setback.REFUSED),
        "another media type": Answer(status=415, setback=Setback.TRANSIENT),
        "nothing at that address": Answer(status=404, setback=Setback.TRANSIENT),
        "too large": Answer(status=413, setback=Setback.TOO_LARGE),
        "slow down": Answer(
            status=429, headers={"retry-after": "7"}, setback=Setback.RATE_LIMITED, retry_after=7.0
        ),
        "broken": Answer(status=502, setback=Setback.TRANSIENT),
        "a page that says 200": Answer(
            status=200, headers={"content-type": "text/html"}, body=b"<html>", setback=Setback.TRANSIENT
        ),
    }

    @pytest.fixture
    def provider(self, oidc_server: OidcServer, httpserver: HTTPServer) -> StandardVendor:
        def take(request: Request) -> Answered:
            good = oidc_server.is_active(request.headers["authorization"].removeprefix("Bearer "))
            return Answered(status=202 if good and json.loads(request.get_data()) else 401)

        httpserver.expect_request("/events", method="POST").respond_with_handler(take)
        return made(oidc_server.entry(events_url=httpserver.url_for("/events")))

    @pytest.fixture
    def connected(self, provider: StandardVendor, oidc_server: OidcServer) -> Connected:
        verifier = Secret("v" * 43)
        address = provider.authorization(self.http, Secret("s" * 43), verifier).address
        brought = parse_qs(urlsplit(oidc_server.agree(address)).query)
        grant = provider.redeem(self.http, Secret(brought["code"][0]), verifier)
        assert grant.refresh_token is not None
        return Connected(secrets={"access_token": grant.access_token, "refresh_token": grant.refresh_token})

    def target(self, kind: str, connected: Connected, listing: EnvironmentListing) -> Target:
        return Target(
            kind=kind,
            account_key=listing.account_key,
            environment_key=listing.vendor_key,
            settings={"types": "*"},
            details=connected.details,
            secrets=connected.secrets,
        )

    def offline(self) -> tuple[StandardVendor, Target]:
        listing = EnvironmentListing(account_key="ada", vendor_key="ada", ingest_key=None)
        vendor = {"title": "N", "issuer": "https://id.test", "client_id": "c", "events_url": "https://e.test"}
        connected = Connected(secrets={"access_token": Secret("a")})
        return made(vendor), self.target("basic.cloudevents", connected, listing)


def made(vendor: Mapping[str, Any]) -> StandardVendor:
    """The provider of such an entry."""
    return StandardVendor("basic", OAuth2Vendor(**vendor), Settings(allow_private_vendors=True))
