"""A standard vendor on the wire: what is sent in which words, and which answers are taken for a grant."""

import base64
import json
from typing import Any

import pytest

from tests.authorization_servers import EVENTS_URL, Servers, entry, of
from tests.providers.contract.provider_contract import event
from webapp.errors import (
    ClientRefused,
    GrantRefused,
    VendorAnswerInvalid,
    VendorError,
    VendorRateLimited,
    VendorUnavailable,
)
from webapp.lib.http import Request, Response
from webapp.lib.secret import Secret
from webapp.oauth2_vendors import OAuth2Vendor
from webapp.providers.base import Grant
from webapp.providers.oauth2 import StandardVendor
from webapp.providers.receiving import Target
from webapp.settings import Settings

NORTH = "https://north.vendor.test"
GRANT = {"access_token": "a-1", "refresh_token": "r-2", "token_type": "bearer", "expires_in": 3600}
REFRESH = Secret("refresh-canary-1")


@pytest.fixture
def servers() -> Servers:
    return Servers(NORTH)


def vendor(**more: Any) -> StandardVendor:
    return StandardVendor("north", OAuth2Vendor(**entry(NORTH) | more), Settings())


def refresh(servers: Servers, *answers: Response, **more: Any) -> Grant:
    servers[NORTH].faults["/token"] = list(answers)
    return vendor(**more).refresh(servers.http(), REFRESH, scope="", details={})


@pytest.mark.parametrize(
    "published",
    [
        {"issuer": "https://elsewhere.vendor.test"},
        {"code_challenge_methods_supported": ["plain"]},
        {"token_endpoint": None},
    ],
)
def test_trouble_with_the_metadata_spends_no_refresh_token(
    servers: Servers, published: dict[str, Any]
) -> None:
    servers[NORTH].overrides.update(published)
    with pytest.raises(VendorUnavailable, match="metadata") as caught:
        refresh(servers)
    assert (caught.value.sent, caught.value.status) == (False, None)


def headers_of(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def test_a_secret_goes_in_the_header_form_encoded(servers: Servers) -> None:
    refresh(servers, of(GRANT), client_id="client:7", client_secret="se+cret/canary")
    shown = headers_of(servers.asked[-1])["authorization"].removeprefix("Basic ")
    assert base64.b64decode(shown) == b"client%3A7:se%2Bcret%2Fcanary"
    assert b"canary" not in servers.asked[-1].body.replace(REFRESH.reveal().encode(), b"")


def test_a_secret_goes_in_the_body_where_that_alone_is_taken(servers: Servers) -> None:
    servers[NORTH].overrides["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    refresh(servers, of(GRANT))
    assert b"client_secret=client-secret-canary" in servers.asked[-1].body
    assert "authorization" not in headers_of(servers.asked[-1])


def test_a_public_client_names_itself_alone(servers: Servers) -> None:
    servers[NORTH].overrides["token_endpoint_auth_methods_supported"] = ["none"]
    refresh(servers, of(GRANT), client_secret="")
    assert b"client_id=client-7" in servers.asked[-1].body
    assert b"secret" not in servers.asked[-1].body
    assert "authorization" not in headers_of(servers.asked[-1])


def test_while_the_secret_changes_over_the_other_one_is_tried(servers: Servers) -> None:
    refused = of({"error": "invalid_client"}, 401)
    grant = refresh(servers, refused, of(GRANT), client_secret_previous="older-canary")
    assert grant.access_token.reveal() == "a-1"
    assert servers[NORTH].counts["/token"] == 2


def test_a_grant_may_bring_the_next_refresh_token_or_none(servers: Servers) -> None:
    assert refresh(servers, of(GRANT)).refresh_token == Secret("r-2")
    kept = {name: value for name, value in GRANT.items() if name != "refresh_token"}
    assert refresh(servers, of(kept)).refresh_token is None


def test_a_life_that_is_not_told_is_taken_to_be_an_hour(servers: Servers) -> None:
    assert refresh(servers, of(GRANT | {"expires_in": None})).lifetime == 3600


@pytest.mark.parametrize(
    "answer",
    [
        of(GRANT | {"token_type": "mac"}),
        of(GRANT | {"access_token": "with space"}),
        of(GRANT | {"access_token": ""}),
        of(GRANT | {"expires_in": "soon"}),
        of(GRANT | {"expires_in": -1}),
        of({"token_type": "bearer"}),
        of([]),
        Response(status=200, body=b"{"),
        Response(status=200, body=b""),
    ],
)
def test_what_is_no_grant_is_not_taken_for_one(servers: Servers, answer: Response) -> None:
    with pytest.raises(VendorAnswerInvalid):
        refresh(servers, answer)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (of({"error": "invalid_grant"}, 400), GrantRefused),
        (of({"error": "invalid_client"}, 401), ClientRefused),
        (of({"error": "unauthorized_client"}, 400), ClientRefused),
        (Response(status=429, headers={"retry-after": "9"}), VendorRateLimited),
        (Response(status=503), VendorUnavailable),
        (Response(status=302, headers={"location": "https://elsewhere.test"}), VendorUnavailable),
        (Response(status=200, headers={"content-type": "text/html"}, body=b"<html>"), VendorUnavailable),
    ],
)
def test_each_refusal_has_its_class_and_repeats_no_secret(
    servers: Servers, answer: Response, error: type[VendorError]
) -> None:
    with pytest.raises(error) as caught:
        refresh(servers, answer)
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_grant_that_ends_and_cannot_be_renewed_is_told_with_its_reason(servers: Servers) -> None:
    kept = {name: value for name, value in GRANT.items() if name != "refresh_token"}
    servers[NORTH].faults["/token"] = [of(kept)]
    with pytest.raises(VendorAnswerInvalid, match="offline_access"):
        vendor().redeem(servers.http(), Secret("code"), Secret("v" * 43))


def revoke(servers: Servers, *answers: Response) -> None:
    servers[NORTH].faults["/revoke"] = list(answers)
    secrets = {"access_token": Secret("a-1"), "refresh_token": REFRESH}
    vendor().revoke(servers.http(), secrets, {})


def test_a_server_need_not_end_access_tokens(servers: Servers) -> None:
    revoke(servers, Response(status=200), of({"error": "unsupported_token_type"}, 400))
    assert servers[NORTH].counts["/revoke"] == 2


def test_a_server_that_is_busy_is_asked_again_later(servers: Servers) -> None:
    with pytest.raises(VendorUnavailable):
        revoke(servers, Response(status=503))


def test_without_userinfo_introspection_says_whose_it_is(servers: Servers) -> None:
    servers[NORTH].overrides["userinfo_endpoint"] = None
    servers[NORTH].live.add("a-1")
    (found,) = vendor().list_environments(servers.http(), {"access_token": Secret("a-1")}, {})
    assert (found.account_key, found.account_label) == ("ada-at-vendor", "ada-at-vendor")
    assert "authorization" in headers_of(servers.asked[-1])


@pytest.mark.parametrize("sub", ["", 7, None, "x" * 256, "a\x1bb"])
def test_without_a_usable_sub_nobody_knows_whose_it_is(servers: Servers, sub: object) -> None:
    servers[NORTH].faults["/me"] = [of({"sub": sub})]
    with pytest.raises(VendorAnswerInvalid, match="no usable sub"):
        vendor().list_environments(servers.http(), {"access_token": Secret("a-1")}, {})


def test_events_go_out_as_cloudevents_with_what_they_hold() -> None:
    target = Target(
        kind="north.cloudevents",
        account_key="ada",
        environment_key="ada",
        settings={},
        details={},
        secrets={"access_token": Secret("access-canary")},
    )
    encoded = vendor(events_url=EVENTS_URL).encode([event(1), event(2)], target)
    assert encoded.request is not None
    assert encoded.request.headers["content-type"].startswith("application/cloudevents-batch+json")
    first, second = json.loads(encoded.request.body)
    assert (first["specversion"], first["id"], first["source"], first["type"]) == (
        "1.0",
        "e-1",
        "ci",
        "deployment",
    )
    assert second["data"] == {"version": 2, "duration": 3.0}
