"""What our Client asks an authorization server: RFC 6749, 7009 and 7662, spoken by Authlib.

A secret goes in the Authorization header where the server takes it there, each half form-encoded first
(RFC 6749 §2.3.1), or else in the body; a public Client names itself alone.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote_plus

from authlib.integrations.httpx_client import OAuth2Client

from webapp.errors import GrantRefused, VendorAnswerInvalid
from webapp.lib.http import Http, Response
from webapp.lib.secret import Secret
from webapp.providers.answers import json_of, token_refusal
from webapp.providers.base import Client, Grant
from webapp.providers.oauth2.metadata import Metadata
from webapp.providers.oauth_client import Authentication, Signed, grant_by, open_client, response_of
from webapp.providers.token_reply import Dialect, grant_of

DIALECT = Dialect(may_omit_life=True)
_NO_REFRESH = (
    "gave an access token that ends and no refresh token to renew it with: "
    "its scopes must ask for one (often offline_access)"
)


def authorization_address(
    metadata: Metadata,
    client: Client,
    *,
    state: Secret,
    verifier: Secret,
    scope: str,
    more: Mapping[str, str],
) -> str:
    """The authorization request, with PKCE S256 (RFC 6749 §4.1.1, RFC 7636 §4.3)."""
    oauth = OAuth2Client(
        client_id=client.client_id,
        redirect_uri=client.redirect_url,
        scope=scope or None,
        code_challenge_method="S256",
    )
    with oauth:
        address, _ = oauth.create_authorization_url(
            metadata.authorization_endpoint, state.reveal(), verifier.reveal(), **more
        )
    return str(address)


def exchange(http: Http, metadata: Metadata, client: Client, code: Secret, verifier: Secret) -> Grant:
    """Trade a code for a grant that can be kept alive."""

    def ask(oauth: OAuth2Client) -> None:
        oauth.fetch_token(
            metadata.token_endpoint,
            grant_type="authorization_code",
            code=code.reveal(),
            code_verifier=verifier.reveal(),
        )

    def read(response: Response) -> Grant:
        grant = _grant(response, (code, verifier, client.client_secret))
        if grant.refresh_token is None and "expires_in" in json_of(response):
            raise VendorAnswerInvalid(_NO_REFRESH, status=response.status)
        return grant

    return grant_by(_open(http, metadata, client), ask, read)


def refresh(http: Http, metadata: Metadata, client: Client, refresh_token: Secret) -> Grant:
    """Trade a refresh token; the answer may bring the next one (RFC 6749 §6)."""

    def ask(oauth: OAuth2Client) -> None:
        oauth.refresh_token(metadata.token_endpoint, refresh_token=refresh_token.reveal())

    def read(response: Response) -> Grant:
        return _grant(response, (refresh_token, client.client_secret))

    return grant_by(_open(http, metadata, client), ask, read)


def revoke(http: Http, metadata: Metadata, client: Client, what: Secret, hint: str) -> None:
    """End it; one that is unknown there has ended already (RFC 7009 §2.2).

    A server need not end access tokens (§2.2.1): they die by themselves. Raises VendorUnavailable (a 503: it
    still lives) and ClientRefused.
    """

    def ask(oauth: OAuth2Client) -> Any:
        return oauth.revoke_token(  # type: ignore[no-untyped-call]  # the stubs' own
            metadata.revocation_endpoint, token=what.reveal(), token_type_hint=hint
        )

    try:
        _ask(http, metadata, client, ask, (what,))
    except GrantRefused as error:
        if hint != "access_token" or error.code != "unsupported_token_type":
            raise


def introspect(http: Http, metadata: Metadata, client: Client, access_token: Secret) -> Mapping[str, Any]:
    """What the server says of an access token (RFC 7662 §2.2)."""

    def ask(oauth: OAuth2Client) -> Any:
        return oauth.introspect_token(
            metadata.introspection_endpoint,
            token=access_token.reveal(),
            token_type_hint="access_token",  # noqa: S106 - a kind, not a secret
        )

    found = json_of(_ask(http, metadata, client, ask, (access_token,)))
    if not isinstance(found, dict) or not isinstance(found.get("active"), bool):
        raise VendorAnswerInvalid("the introspection answer does not say whether it is active")
    return found


def _ask(
    http: Http,
    metadata: Metadata,
    client: Client,
    ask: Callable[[OAuth2Client], Any],
    hidden: tuple[Secret, ...],
) -> Response:
    response = response_of(ask(_open(http, metadata, client)))
    if not 200 <= response.status < 300:
        raise token_refusal(response, (*hidden, client.client_secret))
    return response


def _grant(response: Response, hidden: tuple[Secret, ...]) -> Grant:
    if not 200 <= response.status < 300:
        raise token_refusal(response, hidden)
    return grant_of(response, DIALECT)


def _open(http: Http, metadata: Metadata, client: Client) -> OAuth2Client:
    return open_client(http, client, _authentication(metadata, client))


def _authentication(metadata: Metadata, client: Client) -> Authentication:
    if not client.client_secret.reveal():
        return "none"
    return _basic if metadata.authentication == "client_secret_basic" else metadata.authentication


def _basic(auth: Any, method: str, url: str, headers: MutableMapping[str, str], body: Any) -> Signed:
    pair = f"{quote_plus(auth.client_id)}:{quote_plus(auth.client_secret)}"
    headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return url, headers, body
