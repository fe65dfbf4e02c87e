"""Talking to Last9: trading a refresh token, and looking at the account.

Last9 docs, "Getting started with API": `POST /api/v4/oauth/access_token`, outside any organization;
everywhere else the header `X-LAST9-API-TOKEN: Bearer <access token>`. The refresh token does not rotate.
"""

import json
from dataclasses import replace

from webapp.errors import AccessRefused, ClientRefused, GrantRefused, VendorAnswerInvalid
from webapp.lib.http import Http, Request
from webapp.lib.secret import Secret
from webapp.providers.answers import access_refusal, json_of, token_refusal, words_of
from webapp.providers.base import Grant
from webapp.providers.token_reply import Dialect, grant_of

DIALECT = Dialect(token_type="type", issued_at="issued_at", expires_at="expires_at")  # noqa: S106 - a field's name


def exchange(http: Http, base: str, refresh_token: Secret) -> Grant:
    """Trade a refresh token for an access token, as often as need be.

    The one traded stays good; another that comes back is the grant's spare one. Raises GrantRefused,
    VendorRateLimited, VendorUnavailable, VendorAnswerInvalid; never ClientRefused, since we have no
    registration at Last9: which of 400, 401 and 403 a bad token gets is undocumented, and all mean that it is
    to blame.
    """
    answer = http.send(
        Request(
            method="POST",
            url=f"{base}/api/v4/oauth/access_token",
            headers={"content-type": "application/json"},
            body=json.dumps({"refresh_token": refresh_token.reveal()}).encode(),
        )
    )
    if 200 <= answer.status < 300:
        grant = grant_of(answer, DIALECT)
        spare = grant.refresh_token if grant.refresh_token != refresh_token else None
        return replace(grant, refresh_token=None, spare_refresh_token=spare)
    refusal = token_refusal(answer, (refresh_token,))
    if isinstance(refusal, ClientRefused | GrantRefused):
        refusal = GrantRefused(str(refusal), status=refusal.status, code="invalid_grant")
    raise refusal


def data_sources(http: Http, base: str, organization: str, access_token: Secret) -> tuple[str, ...]:
    """The names of the organization's data sources, the default first; never the passwords beside them.

    Raises AccessRefused (also for the wrong organization, a 404), VendorUnavailable, VendorAnswerInvalid.
    """
    answer = http.send(
        Request(
            method="GET",
            url=f"{base}/api/v4/organizations/{organization}/datasources",
            headers={"x-last9-api-token": f"Bearer {access_token.reveal()}"},
        )
    )
    if answer.status in {400, 404}:
        words = words_of(answer, (access_token,)) or f"answered {answer.status}"
        raise AccessRefused(words, status=answer.status)
    if not 200 <= answer.status < 300:
        raise access_refusal(answer, (access_token,))
    rows = json_of(answer)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise VendorAnswerInvalid("the list of data sources is not a list", status=answer.status)
    named = sorted(rows, key=lambda row: row.get("is_default") is not True)
    return tuple(row["name"] for row in named if isinstance(row.get("name"), str) and row["name"])
