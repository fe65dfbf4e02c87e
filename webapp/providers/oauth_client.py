"""Authlib's OAuth 2 client on our one way out, with every answer read by us before the library sees it.

Alone it takes any JSON for a grant and would write it over a good one (see token_reply). Its errors may carry
the request, and so a secret: none of them leaves from here.
"""

from collections.abc import Callable, MutableMapping
from typing import Any

from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client

from webapp.errors import VendorAnswerInvalid
from webapp.lib.http import DEADLINE_SECONDS, Http, Response
from webapp.providers.base import Client, Grant

#: What Authlib takes back from a client authentication: address, headers, body.
Signed = tuple[str, MutableMapping[str, str], bytes]
#: How our Client shows who it is: a name that Authlib knows, or its own way of writing the request.
Authentication = str | Callable[..., Signed]


def open_client(http: Http, client: Client, authentication: Authentication, **more: Any) -> OAuth2Client:
    """Authlib's client for one conversation; it keeps nothing."""
    return OAuth2Client(
        client_id=client.client_id,
        client_secret=client.client_secret.reveal(),
        redirect_uri=client.redirect_url,
        token_endpoint_auth_method=authentication,
        revocation_endpoint_auth_method=authentication,
        transport=http.transport,
        timeout=DEADLINE_SECONDS,
        trust_env=False,
        follow_redirects=False,
        **more,
    )


def grant_by(
    oauth: OAuth2Client, ask: Callable[[OAuth2Client], object], read: Callable[[Response], Grant]
) -> Grant:
    """The grant that `read` finds in the answer to what `ask` asks at the token endpoint."""
    answers: list[Grant] = []

    def guard(answer: Any) -> Any:
        answers.append(read(response_of(answer)))
        # Authlib parses and keeps only this: the real grant stays in our own types.
        return type(answer)(200, json={"access_token": "checked", "token_type": "Bearer"})

    oauth.register_compliance_hook("access_token_response", guard)
    oauth.register_compliance_hook("refresh_token_response", guard)
    try:
        ask(oauth)
    except (OAuthError, ValueError) as error:
        # `from None`: the library's own errors may carry the request, and so the secret.
        raise VendorAnswerInvalid(f"the token answer cannot be read ({type(error).__name__})") from None
    return answers[0]


def response_of(answer: Any) -> Response:
    """Authlib's answer as one of ours."""
    return Response(status=answer.status_code, headers=dict(answer.headers), body=answer.content)
