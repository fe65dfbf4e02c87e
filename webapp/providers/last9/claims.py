"""What a Last9 token says of itself: a JWT's claims, read without trust.

We hold no key to check the signature with. A claim only helps to fill in a form and to explain a mistake;
which host may be called is decided by the operator's allowlist, and whether the token is good by Last9.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from webapp.errors import Invalid
from webapp.lib import strict_json

_PART = re.compile(r"[A-Za-z0-9_-]+\Z")
_CLAIMS_BYTES = 16_384


class Unreadable(ValueError):
    """Not a JWT; the message is a sentence for the person who pasted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The claims that real clients read, each None or empty when absent."""

    #: the API's host, bare
    host: str | None
    organization: str | None
    scopes: tuple[str, ...]
    expires_at: datetime | None
    email: str | None
    #: the claims that are there, by name: to tell another service's JWT from Last9's
    names: frozenset[str]


def read_claims(jwt: str) -> Claims:
    """The claims of `jwt` (RFC 7519 §7.2, without the signature). Raises Unreadable."""
    parts = jwt.split(".")
    if len(parts) != 3:
        raise Unreadable(_why_not_three(len(parts)))
    if not all(parts):
        raise Unreadable("one of its three parts is empty: copy it again, whole")
    for part in parts:
        if not _PART.match(part):
            raise Unreadable("it holds a character that no token has: copy it again")
    header, payload = (_decode(part) for part in parts[:2])
    if "alg" not in header:
        raise Unreadable("its first part is not a token's header: copy it again from its very start")
    return _claims(payload)


def _why_not_three(count: int) -> str:
    if count == 1:
        return "a Last9 token has three parts with dots between, this has none"
    if count == 2:
        return "its last part is missing: it was cut off, copy it again"
    return f"a Last9 token has three parts, this has {count}: was more than one pasted together?"


def _decode(part: str) -> dict[str, strict_json.Json]:
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        value = strict_json.loads(raw, max_bytes=_CLAIMS_BYTES)
    except (binascii.Error, Invalid):
        raise Unreadable("it was cut or changed on the way: copy it again, whole") from None
    if not isinstance(value, dict):
        raise Unreadable("it was cut or changed on the way: copy it again, whole")
    return value


def _claims(payload: dict[str, strict_json.Json]) -> Claims:
    audience = payload.get("aud")
    first = audience[0] if isinstance(audience, list) and audience else audience
    scopes = payload.get("scopes")
    return Claims(
        host=_host(first) if isinstance(first, str) else None,
        organization=_text(payload.get("organization_slug")),
        scopes=tuple(str(scope) for scope in scopes) if isinstance(scopes, list) else (),
        expires_at=_moment(payload.get("exp")),
        email=_text(payload.get("email")),
        names=frozenset(payload),
    )


def _text(value: strict_json.Json) -> str | None:
    return value if isinstance(value, str) and value else None


def _host(audience: str) -> str | None:
    """`app.last9.io`, `https://app.last9.io` and `app.last9.io/api` all name one host."""
    try:
        parts = urlsplit(audience if "://" in audience else f"https://{audience}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    return f"{parts.hostname}{port}" if parts.hostname else None


def _moment(seconds: strict_json.Json) -> datetime | None:
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
