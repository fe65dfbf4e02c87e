"""The guard at the token endpoint: what may become a stored grant (RFC 6749 §5.1, and stricter).

An OAuth library alone takes `{"message": "Too Many Requests"}` for a token; here everything is checked first.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

from webapp.errors import VendorAnswerInvalid
from webapp.lib.http import Response
from webapp.lib.secret import Secret
from webapp.providers.answers import json_of
from webapp.providers.base import Grant

_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")
_SHORTEST_SECONDS = 1.0
_LONGEST_SECONDS = 366 * 86400.0
_UNSAID_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a vendor calls the fields of RFC 6749 §5.1."""

    access_token: str = "access_token"  # noqa: S105 - a field's name
    refresh_token: str = "refresh_token"  # noqa: S105 - a field's name
    token_type: str = "token_type"  # noqa: S105 - a field's name
    expires_in: str = "expires_in"
    #: a vendor that names two moments (Unix seconds) instead of a life: their difference is the life,
    #: so that no clock of theirs or ours matters
    issued_at: str = ""
    expires_at: str = ""
    #: `expires_in` is only recommended: without it an access token that can be refreshed is taken to live
    #: an hour, and one that cannot is used until it is refused
    may_omit_life: bool = False


def grant_of(response: Response, dialect: Dialect, *, needs_refresh_token: bool = False) -> Grant:
    """The grant in a 2xx answer.

    Raises VendorUnavailable for a web page, VendorAnswerInvalid for all else that is not exactly a grant.
    """
    fields = json_of(response)
    if not isinstance(fields, dict):
        raise _invalid("is not a JSON object", response)
    kind = fields.get(dialect.token_type)
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise _invalid(f"has no {dialect.token_type} Bearer", response)
    refresh_token = _read_token(fields, dialect.refresh_token, response, needed=needs_refresh_token)
    access_token = _read_token(fields, dialect.access_token, response, needed=True)
    return Grant(
        access_token=Secret(access_token),
        refresh_token=Secret(refresh_token) if refresh_token else None,
        lifetime=_lifetime(fields, dialect, response, lasting=not refresh_token),
        scope=_scope(fields),
    )


def _read_token(fields: dict[str, Any], name: str, response: Response, *, needed: bool) -> str:
    value = fields.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise _invalid(f"has no usable {name}", response)
    return value


def _lifetime(fields: dict[str, Any], dialect: Dialect, response: Response, *, lasting: bool) -> float:
    if dialect.may_omit_life and fields.get(dialect.expires_in) is None:
        return _LONGEST_SECONDS if lasting else _UNSAID_SECONDS
    if dialect.expires_at:
        seconds = _number(fields, dialect.expires_at, response) - _number(fields, dialect.issued_at, response)
    else:
        seconds = _number(fields, dialect.expires_in, response)
    if not _SHORTEST_SECONDS <= seconds <= _LONGEST_SECONDS:
        raise _invalid("names a life outside 1 second to 366 days", response)
    return seconds


def _number(fields: dict[str, Any], name: str, response: Response) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _invalid(f"has no number {name}", response)
    return float(value)


def _scope(fields: dict[str, Any]) -> str:
    """`scope` is a string of words (RFC 6749 §3.3); some vendors send a list `scopes`; else none."""
    listed = fields.get("scopes")
    if isinstance(listed, list):
        return " ".join(word for word in listed if isinstance(word, str))
    scope = fields.get("scope")
    return scope if isinstance(scope, str) else ""


def _invalid(what: str, response: Response) -> VendorAnswerInvalid:
    return VendorAnswerInvalid(f"the token answer {what}", status=response.status)
