"""Baselime's OAuth in Baselime's dialect: JSON, camelCase, `redirect` (Baselime docs, API Integration).

Authlib speaks RFC 6749; its client authentication hook rewrites each token request into the dialect, and its
response hooks hand every answer to our own guard before Authlib sees it. Error answers are undocumented:
the status decides.
"""

import json
import re
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from authlib.integrations.httpx_client import OAuth2Client

from webapp.errors import VendorAnswerInvalid
from webapp.lib.http import Http, Request, Response
from webapp.lib.secret import Secret
from webapp.providers.answers import access_refusal, json_of, token_refusal
from webapp.providers.base import Client, EnvironmentListing, Grant
from webapp.providers.oauth_client import Signed, grant_by, open_client
from webapp.providers.token_reply import Dialect, grant_of

DIALECT = Dialect(
    access_token="accessToken",  # noqa: S106 - a field's name
    refresh_token="refreshToken",  # noqa: S106 - a field's name
    token_type="tokenType",  # noqa: S106 - a field's name
    expires_in="expiresIn",
)
_REQUEST_NAMES = {
    "grant_type": "grantType",
    "redirect_uri": "redirect",
    "refresh_token": "refreshToken",
    "code": "code",
}
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")
_ID_CHARACTERS = 200
_MOST_ENVIRONMENTS = 5000


def exchange(http: Http, api_url: str, client: Client, code: Secret) -> Grant:
    """Trade an install code for a grant; its refresh token is promised by the docs and required here."""

    def ask(oauth: OAuth2Client) -> None:
        oauth.fetch_token(f"{api_url}/oauth/token", grant_type="authorization_code", code=code.reveal())

    return _converse(http, client, code, ask, first=True)


def refresh(http: Http, api_url: str, client: Client, refresh_token: Secret) -> Grant:
    """Trade a refresh token for an access token; the docs return no new refresh token, one given is taken."""

    def ask(oauth: OAuth2Client) -> None:
        oauth.refresh_token(f"{api_url}/oauth/token", refresh_token=refresh_token.reveal())

    return _converse(http, client, refresh_token, ask, first=False)


def list_environments(http: Http, api_url: str, access_token: Secret) -> tuple[EnvironmentListing, ...]:
    """`GET /oauth/environments`: a bare array. All of it is valid, or none of it is taken."""
    headers = {
        "Authorization": f"Bearer {access_token.reveal()}",
        "Content-Type": "application/json",
        "Accept": "application/json",
    }
    response = http.send(Request(method="GET", url=f"{api_url}/oauth/environments", headers=headers))
    if not 200 <= response.status < 300:
        raise access_refusal(response, (access_token,))
    items = json_of(response)
    if not isinstance(items, list) or len(items) > _MOST_ENVIRONMENTS:
        raise _list_fault(f"is not an array of at most {_MOST_ENVIRONMENTS}", response)
    listings = tuple(_listing(item, place, response) for place, item in enumerate(items))
    if len({(one.account_key, one.vendor_key) for one in listings}) != len(listings):
        raise _list_fault("names an environment twice", response)
    return listings


def _converse(
    http: Http,
    client: Client,
    given: Secret,
    ask: Callable[[OAuth2Client], object],
    *,
    first: bool,
) -> Grant:
    def read(response: Response) -> Grant:
        if not 200 <= response.status < 300:
            raise token_refusal(response, (given, client.client_secret))
        return grant_of(response, DIALECT, needs_refresh_token=first)

    return grant_by(open_client(http, client, _in_dialect(client.redirect_url)), ask, read)


def _in_dialect(redirect_url: str) -> Callable[..., Signed]:
    def authenticate(
        auth: Any, method: str, url: str, headers: MutableMapping[str, str], body: bytes
    ) -> Signed:
        plain = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        spoken = {_REQUEST_NAMES[name]: value for name, value in plain.items()}
        spoken |= {"clientId": auth.client_id, "clientSecret": auth.client_secret, "redirect": redirect_url}
        headers["Content-Type"] = headers["Accept"] = "application/json"
        return url, headers, json.dumps(spoken).encode()

    return authenticate


def _listing(item: object, place: int, response: Response) -> EnvironmentListing:
    fields: Mapping[str, object] = item if isinstance(item, dict) else {}
    key = fields.get("apiKey")
    if key is not None and not (isinstance(key, str) and _KEY.fullmatch(key)):
        raise _list_fault(f"has an unusable apiKey at {place}", response)
    return EnvironmentListing(
        account_key=_id(fields, "workspaceId", place, response),
        vendor_key=_id(fields, "environmentId", place, response),
        ingest_key=None if key is None else Secret(key),
    )


def _id(fields: Mapping[str, object], name: str, place: int, response: Response) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _ID_CHARACTERS or not value.isprintable():
        raise _list_fault(f"has no usable {name} at {place}", response)
    return value


def _list_fault(what: str, response: Response) -> VendorAnswerInvalid:
    return VendorAnswerInvalid(f"the list of environments {what}", status=response.status)
