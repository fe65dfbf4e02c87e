"""Librato's answers in its several voices: what they say, whether they limit us, and until when.

Librato docs, Response Codes & Errors, and shapes seen live: `errors.params`, `errors.request` (a list or a
bare string), `errors` as a bare list, a singular `error`, `message`, and plain text from the ingest side.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from webapp.errors import Invalid
from webapp.lib import clock, strict_json
from webapp.lib.http import ANSWER_BYTES, Response
from webapp.lib.secret import Secret
from webapp.providers.answers import LONGEST_WAIT_SECONDS, is_page, retry_after, tidy

_LIMIT = re.compile(r"(limit|remaining|reset)=(\d{1,12})")


def is_rate_limit(response: Response) -> bool:
    """429, or the 403 that has a singular `error`: never a refusal of the token."""
    if response.status == 429:
        return True
    body = _body(response)
    return response.status == 403 and isinstance(body, dict) and isinstance(body.get("error"), str)


def wait_of(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait: Retry-After if there is one, else until the reset of a limit that is used up."""
    if (asked := retry_after(headers)) is not None:
        return asked
    waits = [
        int(limit["reset"]) - clock.now().timestamp()
        for name in ("x-librato-ratelimit-agg", "x-librato-ratelimit-std")
        if (limit := dict(_LIMIT.findall(headers.get(name, "")))).get("remaining") == "0" and "reset" in limit
    ]
    return min(max(waits), LONGEST_WAIT_SECONDS) if waits and max(waits) > 0 else None


def words_of(response: Response, hidden: Sequence[Secret] = ()) -> str:
    """All that the answer says, in one line; never empty."""
    if is_page(response):
        return "answered with a web page"
    body = _body(response)
    said = "; ".join(_sentences(body)) if body is not None else response.body[:500].decode(errors="replace")
    return tidy(said, hidden) or f"answered {response.status}"


def _body(response: Response) -> Any:
    try:
        return strict_json.loads(response.body, max_bytes=ANSWER_BYTES)
    except Invalid:
        return None


def _sentences(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, str):
        yield f"{name} {value}".strip()
    elif isinstance(value, list):
        for item in value:
            yield from _sentences(item, name)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in {"errors", "error", "message", "params", "request", "system"}:
                yield from _sentences(item, name)
            elif isinstance(item, list | dict):
                yield from _sentences(item, f"{name} {key}".strip())
