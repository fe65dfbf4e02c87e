"""What an issuer publishes is believed where it is whole, its own, and asked for no more than needed."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.authorization_servers import Servers, entry, of
from webapp.errors import VendorAnswerInvalid, VendorUnavailable
from webapp.lib.http import Response
from webapp.lib.secret import Secret
from webapp.oauth2_vendors import OAuth2Vendor
from webapp.providers.oauth2 import StandardVendor, metadata
from webapp.settings import Settings

NORTH = "https://north.vendor.test"
WELL_KNOWN = "/.well-known/openid-configuration"
OTHER_PLACE = "/.well-known/oauth-authorization-server"


@pytest.fixture
def servers() -> Servers:
    return Servers(NORTH)


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Call it to move the clock on by that many seconds."""
    now = [1_000.0]
    monkeypatch.setattr(metadata.time, "monotonic", lambda: now[0])

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


def vendor(**more: Any) -> StandardVendor:
    allowed = more.pop("allow_private_vendors", False)
    return StandardVendor(
        "north", OAuth2Vendor(**entry(NORTH) | more), Settings(allow_private_vendors=allowed)
    )


def ask(provider: StandardVendor, servers: Servers) -> None:
    provider.authorization(servers.http(), Secret("s" * 43), Secret("v" * 43))


def test_no_start_asks_for_them(servers: Servers) -> None:
    vendor()
    assert servers.asked == []


def test_they_are_kept_for_an_hour(servers: Servers, pass_time: Callable[[float], None]) -> None:
    provider = vendor()
    for seconds in (0.0, 3_500.0, 200.0):
        pass_time(seconds)
        ask(provider, servers)
    assert servers[NORTH].counts[WELL_KNOWN] == 2


def test_while_the_vendor_is_down_the_last_good_ones_go_on_for_a_day(
    servers: Servers, pass_time: Callable[[float], None]
) -> None:
    provider = vendor()
    ask(provider, servers)
    servers[NORTH].faults = {path: [Response(status=503)] * 99 for path in (WELL_KNOWN, OTHER_PLACE)}
    pass_time(80_000.0)
    ask(provider, servers)
    pass_time(10_000.0)
    with pytest.raises(VendorUnavailable):
        ask(provider, servers)


def test_trouble_at_an_endpoint_has_them_asked_for_anew_once_a_minute(
    servers: Servers, pass_time: Callable[[float], None]
) -> None:
    provider = vendor()
    ask(provider, servers)
    servers[NORTH].faults["/token"] = [Response(status=502)] * 3
    for seconds in (0.0, 10.0, 60.0):
        pass_time(seconds)
        with pytest.raises(VendorUnavailable):
            provider.refresh(servers.http(), Secret("r"), scope="", details={})
    assert servers[NORTH].counts[WELL_KNOWN] == 2


def test_they_may_be_at_the_other_standard_s_place(servers: Servers) -> None:
    servers[NORTH].faults = {WELL_KNOWN: [Response(status=404)]}
    servers[NORTH].faults[OTHER_PLACE] = [of(servers[NORTH].metadata())]
    ask(vendor(), servers)


def test_an_issuer_with_a_path_has_it_where_each_standard_says() -> None:
    assert list(metadata._addresses(f"{NORTH}/tenant/")) == [
        f"{NORTH}/tenant/.well-known/openid-configuration",
        f"{NORTH}/.well-known/oauth-authorization-server/tenant",
    ]


@pytest.mark.parametrize(
    ("published", "told"),
    [
        ({"issuer": f"{NORTH}/"}, "not the one that is configured"),
        ({"issuer": None}, "not the one that is configured"),
        ({"authorization_endpoint": "http://north.vendor.test/authorize"}, "authorization_endpoint"),
        ({"token_endpoint": None}, "token_endpoint"),
        ({"token_endpoint": f"{NORTH}/token#x"}, "token_endpoint"),
        ({"token_endpoint": f"{NORTH}/to\r\nken"}, "token_endpoint"),
        ({"token_endpoint": f"{NORTH}/token?a=b\x01"}, "token_endpoint"),
        ({"token_endpoint": f"{NORTH}/{'x' * 2000}"}, "token_endpoint"),
        ({"token_endpoint": "https://[v1.x]/token"}, "token_endpoint"),
        ({"revocation_endpoint": "javascript:alert(1)"}, "revocation_endpoint"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE without S256"),
        ({"response_types_supported": ["token"]}, "no authorization code flow"),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, "other ways are not known"),
        ({"userinfo_endpoint": None, "introspection_endpoint": None}, "nothing says whose it is"),
    ],
)
def test_what_is_lacking_is_told_before_anybody_is_sent_there(
    servers: Servers, published: dict[str, Any], told: str
) -> None:
    servers[NORTH].overrides |= published
    with pytest.raises(VendorAnswerInvalid, match=told):
        ask(vendor(), servers)


def test_a_public_client_needs_a_vendor_that_takes_one(servers: Servers) -> None:
    servers[NORTH].overrides["token_endpoint_auth_methods_supported"] = ["client_secret_basic"]
    with pytest.raises(VendorAnswerInvalid, match="none is configured"):
        ask(vendor(client_secret=""), servers)


def test_plain_http_is_for_development_alone(servers: Servers) -> None:
    servers[NORTH].overrides["token_endpoint"] = "http://north.vendor.test/token"
    ask(vendor(allow_private_vendors=True), servers)


@pytest.mark.parametrize("body", [b"[]", b"{", b"null", b'{"issuer": 7}'])
def test_what_is_no_metadata_is_told(servers: Servers, body: bytes) -> None:
    servers[NORTH].faults[WELL_KNOWN] = [Response(status=200, body=body)]
    with pytest.raises(VendorAnswerInvalid):
        ask(vendor(), servers)
