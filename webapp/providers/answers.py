"""What any vendor's HTTP answer means: the class of its status, its words, and how long it asks us to wait.

Bodies of errors are rarely documented, so the status decides, and an RFC 6749 §5.2 code where one is given.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from webapp.errors import (
    AccessRefused,
    ClientRefused,
    GrantRefused,
    Invalid,
    VendorAnswerInvalid,
    VendorError,
    VendorRateLimited,
    VendorUnavailable,
)
from webapp.lib import retry_after as waits
from webapp.lib import strict_json
from webapp.lib.http import ANSWER_BYTES, Response
from webapp.lib.secret import Secret
from webapp.providers.receiving import Setback

#: No vendor makes us wait longer than this, in seconds, whatever it asks.
LONGEST_WAIT_SECONDS = waits.CAP_SECONDS
_WORDS_CHARACTERS = 300
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\u02ff\u0370-\u1fff\u2010-\u2027]+")
_CLIENT_CODES = frozenset({"invalid_client", "unauthorized_client"})


def json_of(response: Response) -> Any:
    """The body of a 2xx answer. Raises VendorUnavailable (a web page) or VendorAnswerInvalid (not JSON)."""
    if is_page(response):
        raise VendorUnavailable("the answer is a web page", status=response.status)
    try:
        return strict_json.loads(response.body, max_bytes=ANSWER_BYTES)
    except Invalid as error:
        raise VendorAnswerInvalid(
            str(error).replace("the body", "the answer"), status=response.status
        ) from None


def is_page(response: Response) -> bool:
    """Whether something in between answered with HTML: that says nothing about what was asked."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in {"text/html", "application/xhtml+xml"} or response.body.lstrip()[:1] == b"<"


def setback_of(response: Response) -> Setback:
    """Why events of a request are not settled, by its status, at any vendor that says no more of it.

    Only 400 and 422 speak of the events, and 413 of how much they are. What is not in the table speaks of
    the address (404, 405, 410, 415, a redirect) or of the moment, and never of an event: it is tried again.
    So is what a web page refuses: something in between wrote it, which knows neither keys nor events, but
    may well count requests and bytes.
    """
    if is_page(response) and response.status not in _BY_ANYBODY:
        return Setback.TRANSIENT
    return _SETBACKS.get(response.status, Setback.TRANSIENT)


_SETBACKS: Mapping[int, Setback] = {
    400: Setback.REFUSED,
    401: Setback.KEY_REFUSED,
    403: Setback.KEY_REFUSED,
    413: Setback.TOO_LARGE,
    422: Setback.REFUSED,
    429: Setback.RATE_LIMITED,
}
_BY_ANYBODY = frozenset({413, 429})


def errors_in(response: Response) -> bool:
    """Whether an answer names errors: one that is 2xx may do so all the same."""
    body = _object(response)
    return bool(body.get("errors") or body.get("error"))


def token_refusal(response: Response, hidden: Sequence[Secret] = ()) -> VendorError:
    """The error that a token endpoint's non-2xx answer is. `hidden` are never repeated in its words."""
    if (error := _unavailable(response, hidden)) is not None:
        return error
    code = _code(response)
    words = words_of(response, hidden) or f"answered {response.status}"
    if code in _CLIENT_CODES or (response.status == 401 and code != "invalid_grant"):
        return ClientRefused(words, status=response.status, code=code)
    if code == "invalid_grant" or response.status in {400, 403}:
        return GrantRefused(words, status=response.status, code=code)
    return VendorUnavailable(words, status=response.status)


def access_refusal(response: Response, hidden: Sequence[Secret] = ()) -> VendorError:
    """The error that a non-2xx answer to a call with an access token is (RFC 6750 §3.1)."""
    if (error := _unavailable(response, hidden)) is not None:
        return error
    words = words_of(response, hidden) or f"answered {response.status}"
    if response.status in {401, 403}:
        return AccessRefused(words, status=response.status, code=_code(response))
    return VendorUnavailable(words, status=response.status)


def words_of(response: Response, hidden: Sequence[Secret] = ()) -> str:
    """The vendor's own words for people: printable, capped, with none of `hidden` in them; often empty."""
    if is_page(response):
        return "answered with a web page"
    body = _object(response)
    for name in ("error_description", "message", "error"):
        if isinstance(words := body.get(name), str) and words.strip():
            return tidy(words, hidden)
    return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the headers ask us to wait, at most an hour; None when they do not say."""
    return waits.read(headers.get("retry-after"))


def _unavailable(response: Response, hidden: Sequence[Secret]) -> VendorError | None:
    words = words_of(response, hidden) or f"answered {response.status}"
    wait = retry_after(response.headers)
    if response.status == 429:
        return VendorRateLimited(words, status=response.status, retry_after=wait or 60.0)
    if response.status >= 500 or response.status < 400 or is_page(response):
        return VendorUnavailable(words, status=response.status, retry_after=wait)
    return None


def _code(response: Response) -> str | None:
    code = _object(response).get("error")
    return code[:64] if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,64}", code[:64]) else None


def _object(response: Response) -> dict[str, Any]:
    try:
        body = strict_json.loads(response.body, max_bytes=ANSWER_BYTES)
    except Invalid:
        return {}
    return body if isinstance(body, dict) else {}


def tidy(words: str, hidden: Sequence[Secret]) -> str:
    """`words` as they may be kept and shown: printable, capped, none of `hidden` in them."""
    for secret in hidden:
        words = words.replace(secret.reveal(), "***")
    return _UNPRINTABLE.sub(" ", words).strip()[:_WORDS_CHARACTERS]
