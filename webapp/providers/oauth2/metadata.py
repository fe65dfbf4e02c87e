"""What an issuer publishes of itself: endpoints and abilities (RFC 8414; OpenID Connect Discovery 1.0 §4).

Asked for when it is needed, never at start-up: a vendor that is down stops nobody else. Kept for an hour;
after trouble asked for anew, once a minute at most; and while that fails too, the last good answer goes on
for a day.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from webapp.errors import VendorAnswerInvalid, VendorError, VendorUnavailable
from webapp.lib.http import Http, Request, Response
from webapp.oauth2_vendors import check_address
from webapp.providers.answers import is_page, json_of, tidy, token_refusal

FRESH_SECONDS, KEPT_SECONDS, AGAIN_SECONDS = 3600.0, 86_400.0, 60.0
_MOST_ADDRESS = 2_000
#: How a Client may show who it is, in the order that we choose (RFC 6749 §2.3.1, OpenID Connect §9).
_AUTHENTICATIONS = ("client_secret_basic", "client_secret_post")
_OPTIONAL = ("revocation_endpoint", "introspection_endpoint", "userinfo_endpoint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What of it matters here."""

    authorization_endpoint: str
    token_endpoint: str
    #: "": it has none
    revocation_endpoint: str
    introspection_endpoint: str
    userinfo_endpoint: str
    #: `client_secret_basic` or `client_secret_post`: how a Client with a secret shows it
    authentication: str
    #: whether a Client without a secret may come
    takes_public: bool
    #: whether its answers name the issuer (RFC 9207 §3)
    names_issuer: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    """On the monotonic clock: when it was published, last asked for, and is to be asked for again."""

    metadata: Metadata
    found_at: float
    asked_at: float
    again_at: float


class Issuer:
    """One issuer, and what it last published; safe to share between threads."""

    def __init__(self, address: str, *, plain_http: bool) -> None:
        """`plain_http`: its addresses need not be https. For development."""
        self.address = address
        self._plain_http = plain_http
        self._kept: _Kept | None = None

    def metadata(self, http: Http) -> Metadata:
        """What it publishes. Raises VendorUnavailable, VendorAnswerInvalid."""
        kept, now = self._kept, time.monotonic()
        if kept is not None and now < kept.again_at:
            return kept.metadata
        try:
            found = self._fetch(http)
        except VendorError:
            if kept is None or now - kept.found_at >= KEPT_SECONDS:
                raise
            self._kept = replace(kept, asked_at=now, again_at=now + AGAIN_SECONDS)
            return kept.metadata
        self._kept = _Kept(found, now, now, now + FRESH_SECONDS)
        return found

    def doubt(self) -> None:
        """Something went wrong at one of its endpoints: it may have moved."""
        if (kept := self._kept) is not None:
            self._kept = replace(kept, again_at=min(kept.again_at, kept.asked_at + AGAIN_SECONDS))

    def _fetch(self, http: Http) -> Metadata:
        trouble: VendorError | None = None
        for address in _addresses(self.address):
            response = http.send(Request(method="GET", url=address))
            if 200 <= response.status < 300 and not is_page(response):
                return self._read(response)
            refusal = token_refusal(response)
            if isinstance(refusal, VendorUnavailable) and response.status >= 429:
                trouble = refusal
        raise trouble or _invalid("are at neither of their two addresses (RFC 8414 §3)")

    def _read(self, response: Response) -> Metadata:
        fields = json_of(response)
        if not isinstance(fields, dict):
            raise _invalid("are not a JSON object")
        if fields.get("issuer") != self.address:
            named = tidy(str(fields.get("issuer")), ())[:100]
            raise _invalid(f"name the issuer “{named}”, not the one that is configured")
        if "code" not in _words(fields, "response_types_supported", "code"):
            raise _invalid("announce no authorization code flow")
        if "S256" not in _words(fields, "code_challenge_methods_supported", "S256"):
            raise _invalid("announce PKCE without S256")
        methods = _words(fields, "token_endpoint_auth_methods_supported", "client_secret_basic", "none")
        return Metadata(
            authorization_endpoint=self._endpoint(fields, "authorization_endpoint"),
            token_endpoint=self._endpoint(fields, "token_endpoint"),
            **{name: self._endpoint(fields, name, optional=True) for name in _OPTIONAL},
            authentication=next((one for one in _AUTHENTICATIONS if one in methods), ""),
            takes_public="none" in methods,
            names_issuer=fields.get("authorization_response_iss_parameter_supported") is True,
        )

    def _endpoint(self, fields: Mapping[str, Any], name: str, *, optional: bool = False) -> str:
        value = fields.get(name)
        if value is None and optional:
            return ""
        if not isinstance(value, str) or not self._is_good(value):
            raise _invalid(f"have no usable {name}")
        return value

    def _is_good(self, address: str) -> bool:
        try:
            check_address(address.partition("?")[0])
        except ValueError:
            return False
        is_plain = address.isascii() and address.isprintable() and len(address) <= _MOST_ADDRESS
        return (
            is_plain
            and not set(address) & {"#", " "}
            and (self._plain_http or address.startswith("https://"))
        )


def _addresses(issuer: str) -> Iterator[str]:
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    yield f"{origin}{path}/.well-known/openid-configuration"
    yield f"{origin}/.well-known/oauth-authorization-server{path}"


def _words(fields: Mapping[str, Any], name: str, *unsaid: str) -> frozenset[str]:
    """The words of a list; `unsaid` where there is none."""
    value = fields.get(name)
    if value is None:
        return frozenset(unsaid)
    return (
        frozenset(word for word in value if isinstance(word, str)) if isinstance(value, list) else frozenset()
    )


def _invalid(what: str) -> VendorAnswerInvalid:
    return VendorAnswerInvalid(f"its metadata {what}")
