"""Whose access token it is: `sub`, by OpenID Connect's userinfo (Core §5.3) or by introspection (RFC 7662).

An ID token is not read: what the server itself says of the access token we hold is the stronger word.
"""

from collections.abc import Mapping
from typing import Any

from webapp.errors import AccessRefused, VendorAnswerInvalid
from webapp.lib.http import Http, Request
from webapp.lib.secret import Secret
from webapp.providers.answers import access_refusal, json_of
from webapp.providers.base import Client, EnvironmentListing
from webapp.providers.oauth2 import requests
from webapp.providers.oauth2.metadata import Metadata

#: What people know an account by, the best first.
_LABELS = ("email", "name", "preferred_username", "username")
_CHARACTERS = 255


def missing(metadata: Metadata) -> str:
    """What is missing to tell whose an access token is; "": nothing."""
    if metadata.userinfo_endpoint or metadata.introspection_endpoint:
        return ""
    return "its metadata have no userinfo_endpoint and no introspection_endpoint, so nothing says whose it is"


def find(
    http: Http, metadata: Metadata, client: Client, access_token: Secret, *, by_userinfo: bool
) -> EnvironmentListing:
    """The account, which is its own one environment. `by_userinfo`: that endpoint was asked access to.

    Raises AccessRefused, VendorUnavailable, VendorAnswerInvalid.
    """
    if metadata.userinfo_endpoint and (by_userinfo or not metadata.introspection_endpoint):
        fields = _userinfo(http, metadata, access_token)
    elif metadata.introspection_endpoint:
        fields = _introspected(http, metadata, client, access_token)
    else:
        raise VendorAnswerInvalid(missing(metadata))
    key = _text(fields, "sub")
    if not key:
        raise VendorAnswerInvalid("the answer on whose access token it is has no usable sub")
    label = next(filter(None, (_text(fields, name) for name in _LABELS)), key)
    return EnvironmentListing(account_key=key, vendor_key=key, ingest_key=None, account_label=label)


def _userinfo(http: Http, metadata: Metadata, access_token: Secret) -> Mapping[str, Any]:
    headers = {"Authorization": f"Bearer {access_token.reveal()}"}
    response = http.send(Request(method="GET", url=metadata.userinfo_endpoint, headers=headers))
    if not 200 <= response.status < 300:
        raise access_refusal(response, (access_token,))
    fields = json_of(response)
    if not isinstance(fields, dict):
        raise VendorAnswerInvalid("the userinfo answer is not a JSON object")
    return fields


def _introspected(http: Http, metadata: Metadata, client: Client, access_token: Secret) -> Mapping[str, Any]:
    fields = requests.introspect(http, metadata, client, access_token)
    if not fields["active"]:
        raise AccessRefused("the access token is not active")
    return fields


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    usable = isinstance(value, str) and 0 < len(value) <= _CHARACTERS and value.isprintable()
    return value if isinstance(value, str) and usable else ""
