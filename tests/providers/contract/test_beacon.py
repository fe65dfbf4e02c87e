"""Adding a fourth provider is one file, one row and one subclass: tried with the smallest there can be."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, cast

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests import vendors
from tests.providers.contract import beacon
from tests.providers.contract.beacon import API_TOKEN, Beacon
from tests.providers.contract.provider_contract import Answer, Connected, ProviderContract
from tests.runtimes import running
from webapp.core.runtime import Runtime
from webapp.errors import Invalid
from webapp.lib.secret import Secret
from webapp.providers import registry
from webapp.providers.base import EnvironmentListing
from webapp.providers.receiving import DestinationKind, Setback, Target
from webapp.settings import Settings


@pytest.fixture
def taken(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Beacon's events; it answers as long as the test runs."""
    events: list[dict[str, Any]] = []

    def handle(request: Request) -> Response:
        authorization = request.headers.get("authorization", "")
        status = beacon.answer(request.method, request.path, authorization, events, request.get_data())
        body = {200: '{"account": "acme"}', 401: '{"message": "Unknown token"}'}.get(status, "")
        return Response(body, status, content_type="application/json")

    for path in ("/me", "/events"):
        httpserver.expect_request(path).respond_with_handler(handle)
    monkeypatch.setattr(Beacon, "base", httpserver.url_for("").rstrip("/"))
    return events


class TestBeacon(ProviderContract):
    """The one subclass."""

    answers: ClassVar[Mapping[str, Answer]] = {
        "created": Answer(status=201, settled=1),
        "a bad event": Answer(status=400, setback=Setback.REFUSED),
        "an unknown token": Answer(status=401, setback=Setback.KEY_REFUSED),
        "too large": Answer(status=413, setback=Setback.TOO_LARGE),
        "slow down": Answer(status=429, setback=Setback.RATE_LIMITED),
        "broken": Answer(status=500, setback=Setback.TRANSIENT),
    }

    @pytest.fixture
    def provider(self, taken: list[dict[str, Any]]) -> Beacon:
        return Beacon(Settings.load({}))

    @pytest.fixture
    def connected(self, provider: Beacon) -> Connected:
        return Connected(secrets=provider.propose(self.http, {"api_token": API_TOKEN}).credentials[0].parts)

    def target(self, kind: str, connected: Connected, listing: EnvironmentListing) -> Target:
        return Target(
            kind=kind,
            account_key=listing.account_key,
            environment_key=listing.vendor_key,
            settings={"types": ["*"]},
            details={},
            secrets=connected.secrets,
        )

    def offline(self) -> tuple[Beacon, Target]:
        listing = EnvironmentListing(account_key="acme", vendor_key="acme", ingest_key=None)
        connected = Connected(secrets={"api_token": Secret(API_TOKEN)})
        return Beacon(Settings.load({})), self.target("beacon.events", connected, listing)


@pytest.fixture
def runtime(
    taken: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runtime]:
    """An instance with the one row more."""
    monkeypatch.setattr(registry, "TABLE", (*registry.TABLE, Beacon))
    (kind,) = Beacon.kinds
    monkeypatch.setitem(cast("dict[str, DestinationKind]", registry.KINDS), kind.name, kind)
    with running(f"sqlite:///{tmp_path_factory.mktemp('beacon') / 'hitchpost.db'}") as made:
        yield made


def test_with_its_row_it_is_connected_and_fed_like_the_rest(
    runtime: Runtime, taken: list[dict[str, Any]]
) -> None:
    ada = vendors.sign_in(runtime)
    with pytest.raises(Invalid, match="was refused by Beacon"):
        vendors.connect(runtime, ada, "beacon", {"api_token": "another"})
    connection = vendors.connect(runtime, ada, "beacon", {"api_token": API_TOKEN})
    assert connection.label == "acme"
    vendors.forward(runtime, connection.id, "beacon.events")
    vendors.accept(runtime, "a", "b", "c")
    vendors.drain(runtime)
    assert [event["id"] for event in taken] == ["a", "b", "c"]
