"""Talking to Librato: is this token good, what may it do, and making or deleting one.

Librato docs, "API Tokens and Token Roles". There is no whoami: the role is found by three documented calls,
the last of which can record nothing whatever the role. A 403 has two meanings: `errors` is a refusal, a
singular `error` is a rate limit (seen live), and so is 429.
"""

import base64
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from webapp.errors import AccessRefused, VendorAnswerInvalid, VendorRateLimited, VendorUnavailable
from webapp.lib.http import Http, Request, Response
from webapp.lib.secret import Secret
from webapp.providers.answers import json_of
from webapp.providers.librato.words import is_rate_limit, wait_of, words_of

_TOKEN_ID = re.compile(r"/v1/api_tokens/(\d{1,20})\Z")
_VALUE = re.compile(r"[\x21-\x7e]{8,256}")
_PAGE = 100
_MOST_PAGES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where to call and as whom."""

    http: Http
    base: str
    email: str
    api_token: Secret

    def send(self, method: str, path: str, body: bytes = b"") -> Response:
        """One call. Raises VendorUnavailable."""
        url = f"{self.base}{path}"
        return self.http.send(
            Request(method=method, url=url, headers=headers(self.email, self.api_token), body=body)
        )

    def refusal(self, answer: Response) -> VendorUnavailable | AccessRefused:
        """The error that `answer` is."""
        words = words_of(answer, (self.api_token,))
        if is_rate_limit(answer):
            return VendorRateLimited(words, status=answer.status, retry_after=wait_of(answer.headers) or 60.0)
        if answer.status in {401, 403}:
            return AccessRefused(words, status=answer.status)
        return VendorUnavailable(words, status=answer.status)


class Role(StrEnum):
    """Librato's three roles, by their words on the wire."""

    FULL = "admin"
    RECORD = "recorder"
    VIEW = "viewer"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """What is kept of a row of `/v1/api_tokens`: never its value."""

    id: str
    name: str


def headers(email: str, api_token: Secret) -> dict[str, str]:
    """HTTP Basic (RFC 7617): the account's e-mail and the API token, on every request."""
    pair = f"{email}:{api_token.reveal()}".encode()
    return {"authorization": f"Basic {base64.b64encode(pair).decode()}", "content-type": "application/json"}


def verify(login: Login) -> None:
    """`GET /v1/metrics`, which every role may do. Raises AccessRefused, VendorUnavailable."""
    answer = login.send("GET", "/v1/metrics?length=1")
    if answer.status != 200:
        raise login.refusal(answer)


def find_role(login: Login) -> tuple[Role, TokenRow | None]:
    """The role of a verified token, and its own row if it may see it. Raises VendorError."""
    answer = login.send("GET", _page_path(0))
    if answer.status == 200:
        return Role.FULL, _own_row(login, answer)
    if answer.status != 403 or is_rate_limit(answer):
        raise login.refusal(answer)
    return _probe_recording(login), None


def make_token(login: Login, name: str, role: Role) -> tuple[Secret, str]:
    """Mint a token with a Full Access one; gives the new value and its id. Raises VendorError."""
    body = json.dumps({"name": name, "role": role.value}).encode()
    answer = login.send("POST", "/v1/api_tokens", body)
    if answer.status != 201:
        raise login.refusal(answer)
    row = json_of(answer)
    value = row.get("token") if isinstance(row, dict) else None
    if not isinstance(value, str) or not _VALUE.fullmatch(value) or row.get("role") != role.value:
        raise VendorAnswerInvalid("the new token cannot be read", status=answer.status)
    return Secret(value), _id_of(answer.headers.get("location") or row.get("href"))


def delete_token(login: Login, token_id: str) -> None:
    """Delete a token by its id; one that is gone already counts as deleted. Raises VendorError."""
    answer = login.send("DELETE", f"/v1/api_tokens/{quote(token_id, safe='')}")
    if answer.status not in {204, 404}:
        raise login.refusal(answer)


def _probe_recording(login: Login) -> Role:
    """Offer an empty measurement: View Only is told 403, Record Only that there is nothing in it."""
    answer = login.send("POST", "/v1/measurements", b'{"measurements":[]}')
    if answer.status == 403 and not is_rate_limit(answer):
        return Role.VIEW
    if answer.status in {400, 422} or 200 <= answer.status < 300:
        return Role.RECORD
    raise login.refusal(answer)


def _own_row(login: Login, first: Response) -> TokenRow | None:
    """The row whose value is ours. The pages hold everybody's values: they live only in this loop."""
    answer = first
    for page in range(1, _MOST_PAGES + 1):
        body = json_of(answer)
        rows = body.get("api_tokens") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise VendorAnswerInvalid("the list of tokens cannot be read", status=answer.status)
        for row in rows:
            if isinstance(row, dict) and row.get("token") == login.api_token.reveal():
                return TokenRow(id=_id_of(row.get("href")), name=str(row.get("name") or "unnamed")[:100])
        if len(rows) < _PAGE:
            return None
        answer = login.send("GET", _page_path(page * _PAGE))
        if answer.status != 200:
            raise login.refusal(answer)
    return None


def _page_path(offset: int) -> str:
    return f"/v1/api_tokens?offset={offset}&length={_PAGE}"


def _id_of(address: object) -> str:
    """The last part of a row's address; its host is never followed (the docs' samples name other ones)."""
    found = _TOKEN_ID.search(address) if isinstance(address, str) else None
    return found[1] if found else ""
