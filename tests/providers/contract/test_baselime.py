"""Baselime keeps the contract."""

import json
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.providers.contract.provider_contract import Answer, Connected, ProviderContract, event
from webapp.lib.http import Request
from webapp.lib.secret import Secret
from webapp.providers.base import EnvironmentListing
from webapp.providers.baselime import Baselime
from webapp.providers.receiving import Setback, Target
from webapp.settings import Settings

SECOND = json.loads(event(2).body)


class TestBaselime(ProviderContract):
    """By an install redirect with a code. Its OpenTelemetry API: test_baselime_otel.py."""

    kinds = ("baselime.events",)
    answers: ClassVar[Mapping[str, Answer]] = {
        "accepted": Answer(status=202, body=b'{"message":"Request Accepted"}', events=3, settled=3),
        "any 2xx": Answer(status=200, events=2, settled=2),
        "some are listed as invalid": Answer(
            status=400,
            body=json.dumps({"message": "Bad Request", "invalid": [SECOND]}).encode(),
            events=3,
            settled=3,
            rejected=(1,),
        ),
        "a list in a shape nobody documented": Answer(
            status=400, body=b'{"invalid":[{"odd":1},{"odd":2}]}', events=2, settled=2, rejected=(0, 1)
        ),
        "a 2xx with such a list": Answer(
            status=200, body=json.dumps({"invalid": [SECOND]}).encode(), events=3, settled=3, rejected=(1,)
        ),
        "a 2xx that says error": Answer(status=200, body=b'{"error":"no"}', setback=Setback.REFUSED),
        "a page that shuts out": Answer(status=403, body=b"<html>", setback=Setback.TRANSIENT),
        "a bad request": Answer(status=400, body=b'{"message":"Bad Request"}', setback=Setback.REFUSED),
        "unauthorised": Answer(status=401, body=b'{"message":"Unauthorised"}', setback=Setback.KEY_REFUSED),
        "forbidden": Answer(status=403, setback=Setback.KEY_REFUSED),
        "the wrong address": Answer(status=404, setback=Setback.TRANSIENT),
        "the wrong method": Answer(status=405, setback=Setback.TRANSIENT),
        "too large": Answer(status=413, setback=Setback.TOO_LARGE),
        "slow down": Answer(
            status=429, headers={"retry-after": "7"}, setback=Setback.RATE_LIMITED, retry_after=7.0
        ),
        "an internal error": Answer(
            status=500, body=b'{"message":"Internal Error"}', setback=Setback.TRANSIENT
        ),
        "a page that says 200": Answer(status=200, body=b"<html>", setback=Setback.TRANSIENT),
        "a redirect": Answer(status=302, setback=Setback.TRANSIENT),
    }

    @pytest.fixture
    def provider(self, settings: Settings) -> Baselime:
        return Baselime(settings)

    @pytest.fixture
    def connected(self, provider: Baselime) -> Connected:
        consent = Request(
            method="POST",
            url=provider.install_url(),
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode({"developer": "ada"}).encode(),
        )
        back = self.http.send(consent).headers["location"]
        code = parse_qs(urlsplit(back).query)["code"][0]
        grant = provider.exchange(self.http, Secret(code))
        assert grant.refresh_token is not None
        return Connected(secrets={"access_token": grant.access_token, "refresh_token": grant.refresh_token})

    def target(self, kind: str, connected: Connected, listing: EnvironmentListing) -> Target:
        assert listing.ingest_key is not None
        return Target(
            kind=kind,
            account_key=listing.account_key,
            environment_key=listing.vendor_key,
            settings={"types": ["*"], "dataset": "logs"},
            details=connected.details,
            secrets={"ingest_key": listing.ingest_key},
        )

    def offline(self) -> tuple[Baselime, Target]:
        listing = EnvironmentListing(account_key="acme", vendor_key="prod", ingest_key=Secret("k" * 32))
        return Baselime(Settings.load({})), self.target("baselime.events", Connected(secrets={}), listing)
